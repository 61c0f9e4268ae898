// The page of every webview: a strict content security policy, one script, its styles, and an empty body, which the
// script fills from validated messages. Pure, so that the browser tests load the same page.

export interface WebviewPage {
  title: string;
  /** `webview.cspSource` */
  cspSource: string;
  nonce: string;
  /** URLs as the webview sees them. */
  script: string;
  styles: readonly string[];
  /**
   * JSON embedded in the page (read by webview/src/shared/initial.ts), so that the script can show something
   * immediately.
   */
  initial?: unknown;
}

export function webviewHtml({ title, cspSource, nonce, script, styles, initial }: WebviewPage): string {
  // Styles need no 'unsafe-inline': the policy doesn't apply to those that components and the chart set by script.
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `font-src ${cspSource}`,
    `img-src ${cspSource} data: blob:`,
  ].join('; ');
  const links = styles.map(href => `<link rel="stylesheet" href="${escape(href)}">`).join('\n    ');
  // Data, not code: it is never executed, and can't close its element.
  const data =
    initial === undefined
      ? ''
      : `<script type="application/json" id="initial">${JSON.stringify(initial).replaceAll('<', '\\u003c')}</script>\n    `;
  // The toolkit takes the nonce of this meta element for a style that tests whether :focus-visible is supported.
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
