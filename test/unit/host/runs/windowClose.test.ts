import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FolderRunService } from '../../../../extension/src/host/runs/runService.js';
import { endWithWindow, registerWindowClose } from '../../../../extension/src/host/runs/windowClose.js';

const editor = vi.hoisted(() => ({ setting: 'ask', answer: undefined as string | undefined, questions: 0 }));
vi.mock('vscode', () => ({
  ConfigurationTarget: { Global: 1 },
  window: {
    showInformationMessage: async () => {
      editor.questions++;
      return editor.answer;
    },
  },
  workspace: {
    getConfiguration: () => ({
      get: () => editor.setting,
      update: async (_key: string, value: string) => (editor.setting = value),
    }),
  },
}));

/** A service whose window started one living run; `start` is what starting another tells. */
function service() {
  const told: string[] = [];
  let listener = () => {};
  const runs = {
    startedHere: () => [{ send: ({ type }: { type: string }) => told.push(type) }],
    onDidStart: (given: () => void) => {
      listener = given;
      return { dispose: () => {} };
    },
  } as unknown as FolderRunService;
  return { runs, told, start: () => listener() };
}

beforeEach(() => void Object.assign(editor, { setting: 'ask', answer: undefined, questions: 0 }));

describe('what becomes of runs when their window closes', () => {
  it('is asked once, at the first start, and kept as a setting', async () => {
    editor.answer = 'Stop with the Window';
    const { runs, start } = service();
    registerWindowClose(runs);
    expect(editor.questions).toBe(0);
    start();
    start();
    await vi.waitFor(() => expect(editor.setting).toBe('stop'));
    expect(editor.questions).toBe(1);
  });

  it('is not asked where the setting says it', () => {
    editor.setting = 'keepRunning';
    const { runs, start } = service();
    registerWindowClose(runs);
    start();
    expect(editor.questions).toBe(0);
  });

  it.each([
    ['stop', ['stop']],
    ['keepRunning', []],
    ['ask', []],
  ])('with %s the runs of the window are told %j', (setting, expected) => {
    editor.setting = setting;
    const { runs, told } = service();
    endWithWindow(runs);
    expect(told).toEqual(expected);
  });
});
