import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { activated, figures } from './support.js';

describe('activation', () => {
  it('takes less than 100 ms of its own, loading included', async () => {
    const { loadingMs, activationMs } = (await activated()).activation;
    Object.assign(figures, { loadingMs: Math.round(loadingMs), activationMs: Math.round(activationMs) });
    assert.ok(loadingMs + activationMs < 100, `${loadingMs.toFixed(0)} + ${activationMs.toFixed(0)} ms`);
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

  it('tells what it does in an output channel with levels', async () => {
    const { output } = await activated();
    assert.equal(output.name, 'Tunewright');
    assert.ok(output.logLevel in vscode.LogLevel);
  });

  it('answers what the engine can do', async () => {
    const { engine } = await activated();
    const { methods } = (await engine.capabilities()) as { methods: { peft_type: string }[] };
    assert.ok(methods.some(method => method.peft_type === 'LORA'));
  });
});
