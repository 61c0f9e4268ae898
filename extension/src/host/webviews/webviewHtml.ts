// The page of every webview: a strict content security policy, one script, its styles, an empty body. Whatever is shown is
// made by the script from validated messages. Pure, so that the browser tests load the very same page.

export interface WebviewPage {
  title: string;
  /** `webview.cspSource` */
  cspSource: string;
  nonce: string;
  /** Addresses as the webview sees them. */
  script: string;
  styles: readonly string[];
  /** JSON that the script finds in its page (webview/src/shared/initial.ts), so that it need not ask before it shows something. */
  initial?: unknown;
}

export function webviewHtml({ title, cspSource, nonce, script, styles, initial }: WebviewPage): string {
  // No 'unsafe-inline' for styles either: what components and the chart set by script is not covered by the policy.
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `font-src ${cspSource}`,
    `img-src ${cspSource} data: blob:`,
  ].join('; ');
  const links = styles.map(href => `<link rel="stylesheet" href="${escape(href)}">`).join('\n    ');
  // Data, no code: it is never run, and can't end its element.
  const data =
    initial === undefined
      ? ''
      : `<script type="application/json" id="initial">${JSON.stringify(initial).replaceAll('<', '\\u003c')}</script>\n    `;
  // The toolkit tries out a style of its own with the nonce of this meta element, to know whether :focus-visible can be used.
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${escape(policy)}">
    <meta property="csp-nonce" content="${escape(nonce)}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escape(title)}</title>
    ${links}
  </head>
  <body>
    <main id="app"></main>
    ${data}<script nonce="${escape(nonce)}" src="${escape(script)}"></script>
  </body>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}
