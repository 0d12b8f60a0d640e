/* Begins the page. */
import { render } from 'preact';
import '@xterm/xterm/css/xterm.css';
import './style.css';
import { App } from './app.tsx';
import { Model } from './model.ts';

const model = new Model();
model.connect(`ws://${location.host}/socket${location.search}`);
render(<App model={model} />, document.getElementById('app')!);
