import { expect, test } from 'vitest';
import { webviewHtml } from '../../../../extension/src/host/webviews/webviewHtml.js';

const page = webviewHtml({
  title: 'A <b>"run"',
  cspSource: 'https://*.vscode-cdn.net',
  nonce: 'n0nce',
  script: 'https://x/a.js?b&c',
  styles: ['https://x/a.css'],
});
const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)![1]!.replaceAll('&#39;', "'");

test('the policy allows the page’s own script by its nonce, its own styles and fonts, and nothing else', () => {
  const directives = Object.fromEntries(policy.split('; ').map(each => [each.split(' ')[0], each]));
  expect(directives['default-src']).toBe("default-src 'none'");
  expect(directives['script-src']).toBe("script-src 'nonce-n0nce'");
  expect(Object.keys(directives).sort()).toEqual(['default-src', 'font-src', 'img-src', 'script-src', 'style-src']);
  expect(policy).not.toMatch(/unsafe|\*(?!\.vscode-cdn\.net)|http:/);
});

test('the page has no inline scripts or handlers, and values are escaped', () => {
  expect(page.match(/<script[^>]*>/g)).toEqual([expect.stringContaining('nonce="n0nce"')]);
  expect(page).toContain('></script>');
  expect(page).not.toMatch(/\son\w+=|javascript:|style="/);
  expect(page).toContain('<title>A &#60;b&#62;&#34;run&#34;</title>');
});

test('initial data is embedded so that it can’t close its element', () => {
  const initial = { text: '</script><script>alert(1)</script><!--' };
  const html = webviewHtml({ title: '', cspSource: '', nonce: '', script: '', styles: [], initial });
  const [, data] = /<script type="application\/json" id="initial">(.*?)<\/script>/.exec(html)!;
  expect(data).not.toContain('<');
  expect(JSON.parse(data!)).toEqual(initial);
});
