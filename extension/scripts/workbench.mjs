// `npm run workbench [-- FOLDER] [--port N]`: runs a real VS Code in your browser with the packaged extension and a sample workspace,
// without installing anything into your editor. Builds, starts, prints the address; Ctrl-C stops it.
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './build.mjs';
import { startCodeServer } from './codeServer.mjs';
import { packageExtension } from './package.mjs';
import { setUpCodeServer } from './setUpTestTools.mjs';
import { testToolsFolder } from './testTools.mjs';

const { values, positionals } = parseArgs({ options: { port: { type: 'string' } }, allowPositionals: true });
setUpCodeServer();
const home = join(testToolsFolder(), 'workbench');
const workspace = positionals[0] ? resolve(positionals[0]) : sampleWorkspace(join(home, 'sample'));
const profile = join(home, 'profile');
rmSync(join(profile, 'extensions'), { recursive: true, force: true });
mkdirSync(home, { recursive: true });
const vsix = await packageExtension({ out: join(home, 'tunewright.vsix') });
const server = await startCodeServer({
  folder: profile,
  vsix,
  workspaceTrust: true,
  port: values.port ? Number(values.port) : undefined,
  settings: { 'security.workspace.trust.startupPrompt': 'always' },
});
console.log(
  `\nTunewright in VS Code:  ${server.url}/?folder=${encodeURI(workspace)}\nPress Ctrl-C to stop. Log: ${server.logFile}`,
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void server.stop().then(() => process.exit(0)));

/** Created once; runs in it are kept. */
function sampleWorkspace(folder) {
  if (!existsSync(folder))
    for (const [from, to] of [
      ['media/datasets', 'datasets'],
      ['media/examples/pirate.tune.json', 'examples/pirate.tune.json'],
    ])
      cpSync(join(root, from), join(folder, to), { recursive: true });
  return folder;
}
