// A webview on a plain page in a real Chromium: the product's page and bundles, VS Code's theme variables, and
// fakeHost.ts instead of VS Code. Used by the tests of this folder; needs no workbench.
import { build } from 'esbuild';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { webviewHtml } from '../../../extension/src/host/webviews/webviewHtml.js';
import { launchChromium } from '../../support/chromium.js';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const NONCE = 'bm9uY2U';

export const themes = ['dark', 'light', 'highContrast', 'highContrastLight'] as const;
export type Theme = (typeof themes)[number];
const bodyClass: Record<Theme, string> = {
  dark: 'vscode-dark',
  light: 'vscode-light',
  highContrast: 'vscode-high-contrast',
  highContrastLight: 'vscode-high-contrast vscode-high-contrast-light',
};
/** Theme variables that VS Code gives webviews, for its default themes. */
const variables = JSON.parse(readFileSync(join(root, 'test/fixtures/webviews/themes.json'), 'utf8')) as Record<
  Theme,
  Record<string, string>
>;

/** The background behind the webview, which is transparent. */
const backgrounds: Record<OpenOptions['webview'], string> = {
  runPanel: '--vscode-sideBar-background',
  dashboard: '--vscode-editor-background',
  datasetPreview: '--vscode-editor-background',
  playground: '--vscode-editor-background',
  evaluation: '--vscode-editor-background',
  export: '--vscode-editor-background',
  race: '--vscode-editor-background',
};

const contentTypes: Record<string, string> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.ttf': 'font/ttf',
};

export interface OpenOptions {
  webview: 'runPanel' | 'dashboard' | 'datasetPreview' | 'playground' | 'evaluation' | 'export' | 'race';
  theme: Theme;
  width: number;
  height?: number;
  reducedMotion?: boolean;
  /** Data that the host embeds in the page. */
  initial?: unknown;
  /** Sets up `window.fake`, which queues the webview's requests until then. */
  prepare?: (page: Page) => Promise<void>;
  /** Runs before the page is loaded, for tests with their own host instead of fakeHost.ts. */
  beforeLoad?: (page: Page) => Promise<void>;
}

export class WebviewBrowser {
  /** Errors in the browser, such as policy violations. */
  private readonly complaints: string[] = [];

  private constructor(
    private readonly browser: Browser,
    private readonly server: Server,
    private readonly files: Map<string, Uint8Array>,
    /** Embedded data of the pages, by the number in their URL; too long for the URL itself. */
    private readonly initials: unknown[],
  ) {}

  static async start(): Promise<WebviewBrowser> {
    const files = await bundles();
    const initials: unknown[] = [];
    const server = createServer((request, response) => {
      const { pathname: path, searchParams } = new URL(request.url!, 'http://localhost');
      const body = path.startsWith('/page/')
        ? page(path.slice('/page/'.length), initials[Number(searchParams.get('initial') ?? -1)])
        : files.get(path.slice(1));
      // Browsers request a favicon on their own.
      response.writeHead(body ? 200 : path === '/favicon.ico' ? 204 : 404, {
        'Content-Type': contentTypes[extname(path)] ?? 'text/html',
      });
      response.end(body);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const browser = await launchChromium();
    return new WebviewBrowser(browser, server, files, initials);
  }

  get bundleSizes(): Record<string, number> {
    return Object.fromEntries([...this.files].map(([name, content]) => [name, content.length]));
  }

  async open({
    webview,
    theme,
    width,
    height = 900,
    reducedMotion,
    initial,
    prepare,
    beforeLoad,
  }: OpenOptions): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width, height },
      reducedMotion: reducedMotion ? 'reduce' : 'no-preference',
      forcedColors: 'none',
    });
    const opened = await context.newPage();
    opened.setDefaultTimeout(30_000);
    opened.on('pageerror', error => this.complaints.push(error.message));
    opened.on('console', message => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    const { port } = this.server.address() as AddressInfo;
    await opened.addInitScript({ content: new TextDecoder().decode(this.files.get('fakeHost.js')) });
    await opened.addInitScript(
      ([style, name, background]) => {
        document.addEventListener('DOMContentLoaded', () => {
          for (const [key, value] of Object.entries(style)) document.documentElement.style.setProperty(key, value);
          document.body.className = name;
          document.body.style.background = `var(${background})`;
        });
      },
      [variables[theme], bodyClass[theme], backgrounds[webview]] as const,
    );
    await beforeLoad?.(opened);
    const query = initial === undefined ? '' : `?initial=${this.initials.push(initial) - 1}`;
    await opened.goto(`http://127.0.0.1:${port}/page/${webview}${query}`);
    await prepare?.(opened);
    return opened;
  }

  /** Their animations take the processor from the tests that follow. */
  async closePages(): Promise<void> {
    await Promise.all(this.browser.contexts().map(context => context.close()));
  }

  /** @throws Error if a page reported errors, such as a style or script that its policy forbids */
  async stop(): Promise<void> {
    await this.browser.close();
    this.server.close();
    if (this.complaints.length > 0) throw new Error(`errors in the pages: ${[...new Set(this.complaints)].join('\n')}`);
  }
}

function page(webview: string, initial: unknown): string {
  return webviewHtml({
    title: webview,
    initial,
    cspSource: "'self'",
    nonce: NONCE,
    script: `/${webview}.js`,
    styles: ['/codicon.css', `/${webview}.css`],
  });
}

async function bundles(): Promise<Map<string, Uint8Array>> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: {
      runPanel: 'webview/src/runPanel/main.ts',
      dashboard: 'webview/src/dashboard/main.ts',
      datasetPreview: 'webview/src/datasetPreview/main.ts',
      playground: 'webview/src/playground/main.ts',
      evaluation: 'webview/src/evaluation/main.ts',
      export: 'webview/src/export/main.ts',
      race: 'webview/src/race/main.ts',
      fakeHost: 'test/e2e/webviews/page/fakeHost.ts',
    },
    outdir: '/',
    write: false,
    bundle: true,
    minify: true,
    legalComments: 'none',
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    logLevel: 'warning',
  });
  const files = new Map(result.outputFiles.map(({ path, contents }) => [path.slice(1), contents]));
  for (const name of ['codicon.css', 'codicon.ttf'])
    files.set(name, readFileSync(join(root, 'node_modules/@vscode/codicons/dist', name)));
  return files;
}

/** Path of a screenshot for manual inspection. */
export function screenshotPath(name: string): string {
  const folder = join(root, 'dist/screenshots');
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}
