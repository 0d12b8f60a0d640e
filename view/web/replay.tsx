/* Begins the page of a session that was kept: no server, no machine, all that was seen of it. */
import { render } from 'preact';
import '@xterm/xterm/css/xterm.css';
import './style.css';
import { parseSession } from '../shared/session.ts';
import { App } from './app.tsx';
import { Model } from './model.ts';

const app = document.getElementById('app')!;
try {
  const model = new Model();
  model.open(parseSession(document.getElementById('session')!.textContent ?? ''));
  render(<App model={model} />, app);
} catch (error) {
  app.textContent = `Vitrine: ${error instanceof Error ? error.message : String(error)}`;
}
