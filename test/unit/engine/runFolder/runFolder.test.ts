// The run folder: events.ndjson after a crash, complete checkpoints, the folder of a name.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimRun, commandReader } from '../../../../extension/src/engine/run/runProcess.js';
import { EventWriter, readEvents } from '../../../../extension/src/engine/runFolder/eventLog.js';
import {
  defaultRunFolder,
  latestRunFolder,
  RunFolder,
  runFolderOf,
} from '../../../../extension/src/engine/runFolder/runFolder.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

let path: string;
beforeEach(() => (path = mkdtempSync(join(tmpdir(), 'tunewright-folder-'))));
afterEach(() => rmSync(path, { recursive: true }));

const warning = (message: string) => ({ type: 'warned', code: 'test', message }) as const;

describe('EventWriter', () => {
  const write = (file: string, ...messages: string[]) => {
    const written: number[] = [];
    const writer = new EventWriter(file, ({ seq }) => written.push(seq));
    for (const message of messages) writer.write(warning(message));
    writer.close();
    return written;
  };

  it('continues seq where the previous process ended, and removes a line that a crash left incomplete', () => {
    const file = join(path, 'events.ndjson');
    expect(write(file, 'a', 'b')).toEqual([0, 1]);
    appendFileSync(file, '{"seq":2,"time":"2026-01-');
    expect(readEvents(file).map(({ seq }) => seq)).toEqual([0, 1]);
    expect(write(file, 'ü')).toEqual([2]);
    expect(readEvents(file)).toMatchObject([{ message: 'a' }, { message: 'b' }, { seq: 2, message: 'ü' }]);
    expect(readFileSync(file, 'utf8').endsWith('\n')).toBe(true);
  });

  it('names the line that is not an event', async () => {
    const file = join(path, 'events.ndjson');
    write(file, 'a');
    appendFileSync(file, '{"type":"step"}\n');
    expect((await inputErrorOf(() => readEvents(file))).where).toBe(`${file}:2`);
    expect(readEvents(join(path, 'none'))).toEqual([]);
  });
});

describe('RunFolder', () => {
  it('is created if it is empty, or has only the run.json and log of the host', async () => {
    const folder = join(path, 'a', 'b');
    expect(RunFolder.create(folder).path).toBe(folder);
    RunFolder.create(folder);
    for (const name of ['run.json', 'engine.log']) writeFileSync(join(folder, name), '{}');
    RunFolder.create(folder, join(folder, 'run.json'));
    expect((await inputErrorOf(() => RunFolder.create(folder))).hint).toContain('--resume');
    writeFileSync(join(path, 'file'), '');
    expect((await inputErrorOf(() => RunFolder.create(join(path, 'file')))).message).toContain('file');
  });

  it('lists complete checkpoints only, in the order of their steps', () => {
    const folder = RunFolder.create(path);
    for (const step of [10, 9, 100]) {
      mkdirSync(folder.checkpoint(step), { recursive: true });
      writeFileSync(join(folder.checkpoint(step), 'state.json'), '{}');
    }
    mkdirSync(folder.checkpoint(200));
    mkdirSync(`${folder.checkpoint(300)}.partial`);
    for (const name of ['step-08', 'step-9007199254740993', 'step-1e3', 'step-']) {
      mkdirSync(join(path, 'checkpoints', name));
      writeFileSync(join(path, 'checkpoints', name, 'state.json'), '{}');
    }
    expect(folder.checkpointSteps()).toEqual([9, 10, 100]);
    folder.prune(1, 9);
    expect(folder.checkpointSteps()).toEqual([9, 100]);
    folder.prune(null, null);
    expect(folder.checkpointSteps()).toEqual([9, 100]);
  });

  it('is named after the run and the time, and found by the name alone', async () => {
    const at = (time: string) => defaultRunFolder(path, 'my tone/1', new Date(time));
    expect(at('2026-01-31T14:25:00Z')).toBe(join(path, 'runs', '1-20260131-142500'));
    for (const name of ['tone-20260131-142500', 'tone-20260201-000000', 'tone-long-20270101-000000', 'tone-x'])
      mkdirSync(join(path, 'runs', name), { recursive: true });
    expect(latestRunFolder(path, 'tone')).toBe(join(path, 'runs', 'tone-20260201-000000'));
    expect(latestRunFolder(path, 'tone-long')).toBe(join(path, 'runs', 'tone-long-20270101-000000'));
    expect((await inputErrorOf(() => latestRunFolder(path, 'ton'))).message).toContain('"ton"');
  });
});

describe('a training process', () => {
  it('claims its folder until it ends, and takes over what proves nothing', async () => {
    const folder = RunFolder.create(path);
    const release = claimRun(folder);
    expect(JSON.parse(readFileSync(folder.processFile, 'utf8')).pid).toBe(process.pid);
    expect((await inputErrorOf(() => claimRun(folder))).message).toContain(String(process.pid));
    release();
    expect(existsSync(folder.processFile)).toBe(false);
    // Version 0, of a process that died and whose pid is used again, or that was never an engine.
    for (const pid of [process.ppid, 1, 2 ** 22 + 1]) {
      writeFileSync(folder.processFile, JSON.stringify({ pid, started: new Date().toISOString() }));
      claimRun(folder)();
    }
  });

  it('neither reads events through a link nor writes them, and trains in no folder that links elsewhere', async () => {
    const folder = RunFolder.create(path);
    const elsewhere = `${path}-elsewhere`;
    mkdirSync(elsewhere);
    const precious = join(elsewhere, 'precious');
    writeFileSync(precious, 'precious');
    symlinkSync(precious, folder.eventsFile);
    expect((await inputErrorOf(() => new EventWriter(folder.eventsFile, () => {}))).message).toContain('symbolic link');
    symlinkSync(precious, folder.attendedFile);
    symlinkSync('/dev/zero', folder.commandsFile);
    expect(commandReader(folder.commandsFile)()).toEqual([]);
    claimRun(folder)();
    expect(readFileSync(precious, 'utf8')).toBe('precious');
    writeFileSync(folder.runFile, '{}');
    for (const name of ['checkpoints', 'adapter', 'model', 'tensorboard']) {
      symlinkSync(elsewhere, join(path, name));
      expect((await inputErrorOf(() => RunFolder.open(path))).where).toBe(join(path, name));
      rmSync(join(path, name));
    }
    for (const name of ['checkpoints', 'adapter', 'tensorboard', 'exports']) {
      writeFileSync(join(path, name), '');
      expect((await inputErrorOf(() => RunFolder.open(path))).where).toBe(join(path, name));
      rmSync(join(path, name));
    }
    mkdirSync(join(path, 'checkpoints'));
    symlinkSync(elsewhere, folder.checkpoint(7));
    expect((await inputErrorOf(() => RunFolder.open(path))).where).toBe(folder.checkpoint(7));
    rmSync(folder.checkpoint(7));
    symlinkSync(path, `${path}-link`);
    expect(RunFolder.open(`${path}-link`).checkpointSteps()).toEqual([]);
    for (const other of [`${path}-link`, elsewhere]) rmSync(other, { recursive: true });
  });

  it('reads commands appended after its start, complete lines only, and ignores unknown ones', () => {
    const file = join(path, 'commands.ndjson');
    appendFileSync(file, '{"type":"stop"}\n');
    const read = commandReader(file);
    expect(read()).toEqual([]);
    appendFileSync(file, '{"type":"pause"}\nnonsense\n{"type":"dance"}\n{"type":"sa');
    expect(read()).toEqual([{ type: 'pause' }]);
    expect(read()).toEqual([]);
    appendFileSync(file, 've"}\n{"type":"resume"}\n');
    expect(read()).toEqual([{ type: 'save' }, { type: 'resume' }]);
  });

  it('is found from its results, checkpoints and exports, also through a link', () => {
    for (const name of ['run.json', 'events.ndjson']) writeFileSync(join(path, name), '');
    for (const folder of ['adapter', 'checkpoints/step-2', 'exports/merged'])
      mkdirSync(join(path, folder), { recursive: true });
    writeFileSync(join(path, 'exports/merged/model.gguf'), '');
    symlinkSync(join(path, 'adapter'), `${path}-link`);
    const found = ['adapter', 'checkpoints/step-2', 'exports/merged/model.gguf'].map(name =>
      runFolderOf(join(path, name)),
    );
    expect([...found, runFolderOf(`${path}-link`)]).toEqual(Array(4).fill(path));
    rmSync(`${path}-link`);
    expect([path, join(path, 'model'), 'embedded:tiny'].map(runFolderOf)).toEqual([null, null, null]);
  });
});
