/* The one file that is served, or kept: the page with its program and its style in it. Nothing is loaded from anywhere. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** The page's files lie beside the server's. */
const FILES = path.join(__dirname, 'page');

export function pageText(): string {
  return text('main', "'self' ws://127.0.0.1:* ws://localhost:*", '');
}

/** The page of a session that was kept, which is all there is: it asks nobody. */
export function sessionText(session: string): string {
  // Nothing in it may look like the end of the element it is in.
  return text('replay', "'none'", `<script type="application/json" id="session">${session.replace(/</g, '\\u003c')}</script>\n`);
}

function text(program: 'main' | 'replay', connect: string, data: string): string {
  const nonce = randomBytes(16).toString('base64');
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'unsafe-inline'; img-src data:; connect-src ${connect}; base-uri 'none'; form-action 'none'`;
  // A closing tag in a string of the program would end it.
  const script = readFileSync(path.join(FILES, `${program}.js`), 'utf8').replace(/<\/script/gi, '<\\/script');
  const style = readFileSync(path.join(FILES, `${program}.css`), 'utf8').replace(/<\/style/gi, '');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Vitrine</title>
<style>${style}</style>
</head>
<body>
<div id="app"></div>
${data}<script type="module" nonce="${nonce}">${script}</script>
</body>
</html>
`;
}
