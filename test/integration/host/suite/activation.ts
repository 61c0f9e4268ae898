import assert from 'node:assert/strict';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { EngineInputError } from '../../../../extension/src/host/services.js';
import { activated, figures, workspacePath } from './support.js';

describe('activation', () => {
  it('loads a single file, whose size the test of the package limits', async () => {
    const { loadingMs, activationMs } = (await activated()).activation;
    Object.assign(figures, { loadingMs: Math.round(loadingMs), activationMs: Math.round(activationMs) });
    const folder = join(vscode.extensions.getExtension('tunewright.tunewright')!.extensionPath, 'dist');
    const loaded = Object.keys(require.cache).filter(path => path.startsWith(join(folder, '/')));
    assert.deepEqual(
      loaded.filter(path => !path.startsWith(join(folder, 'test/'))),
      [join(folder, 'extension.cjs')],
    );
  });

  it('registers every command that package.json contributes', async () => {
    await activated();
    const { packageJSON } = vscode.extensions.getExtension('tunewright.tunewright')!;
    const registered = new Set(await vscode.commands.getCommands(true));
    const contributed: string[] = packageJSON.contributes.commands.map(({ command }: { command: string }) => command);
    assert.deepEqual(
      contributed.filter(command => !registered.has(command)),
      [],
    );
  });

  it('logs to an output channel with levels', async () => {
    const { output } = await activated();
    assert.equal(output.name, 'Tunewright');
    assert.ok(output.logLevel in vscode.LogLevel);
  });

  it('returns the engine’s capabilities', async () => {
    const { engine } = await activated();
    const { methods } = (await engine.capabilities()) as { methods: { peft_type: string }[] };
    assert.ok(methods.some(method => method.peft_type === 'LORA'));
  });

  it('estimates a run and reports its problems through the resident engine', async () => {
    const { engine } = await activated();
    const path = workspacePath('examples', 'draft.json');
    const runFile = { model: 'embedded:tiny', dataset: { train: 'rows.jsonl' }, method: { peft_type: 'LORA' } };
    const first = await engine.estimate(runFile, path);
    assert.ok(first.run.memory.total > 0);
    const began = performance.now();
    const { reference } = await engine.inspectModel('embedded:tiny');
    figures['inspectMs'] = Math.round(performance.now() - began);
    assert.equal(reference, 'embedded:tiny');
    await assert.rejects(
      engine.estimate({ ...runFile, method: { peft_type: 'LORA', r: 0 } }, path),
      ({ record }: EngineInputError) =>
        record.code === 'bad_input' && record.file === path && record.key === 'method.r',
    );
  });
});
