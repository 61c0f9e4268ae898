// `tunewright engine bench`: options, progress and text. The work is done in bench/.
import { Option, type Command } from 'commander';
import { bytes, figure } from '../../core/units.js';
import type { BenchAnswer, BenchRow } from '../../protocol/benchAnswer.js';
import { BENCH_ROWS, benchEngine } from '../bench/benchEngine.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { openModel, openModelFiles } from '../run/openModel.js';
import { engineOf, withEngineOptions, type EngineFlags } from './engineOptions.js';
import { interruptible } from './failure.js';
import { printAnswer, printNote } from './print.js';
import { progressDisplay } from './progressDisplay.js';

interface BenchFlags extends EngineFlags {
  only?: string[];
  out?: string;
  json?: boolean;
}

const EMBEDDED = 'embedded:tiny';

export function registerBenchCommand(engine: Command): void {
  withEngineOptions(
    engine
      .command('bench')
      .description(
        'check that a device computes correctly, then measure products, LoRA steps and decoding on it (some minutes)',
      )
      .addOption(new Option('--only <part...>', `rows whose name has this: ${BENCH_ROWS.join('; ')}`)),
  )
    .option('--out <file>', 'also write the JSON object to a file')
    .option('--json', 'print one JSON object')
    .action(async ({ only, out, json, ...flags }: BenchFlags) => {
      const reporter = progressDisplay();
      await interruptible(async signal => {
        const onDisk = await openModelFiles(EMBEDDED, '.', reporter);
        const weights = { base_weights: 'float32', precision: 'float32' } as const;
        const { model, backend } = await openModel(onDisk, { ...engineOf(flags), ...weights }, reporter);
        reporter.finish();
        printNote(`Measuring on ${backend.device}`);
        const answer = await benchEngine({
          backend,
          embedded: model,
          only,
          signal,
          onRow: row => printNote(describeRow(row)),
        });
        model.dispose();
        onDisk.files.close();
        if (out) writeFileAtomically(out, append => append(Buffer.from(`${JSON.stringify(answer, null, 2)}\n`)));
        printAnswer(answer, json, describeBench);
      });
    });
}

function describeRow({ id, value, unit, seconds, problem }: BenchRow): string {
  return value === null
    ? `${id}: not measured: ${problem}`
    : `${id}: ${figure(value)} ${unit} (${figure(seconds * 1000)} ms)`;
}

function describeBench({ device, date, library, difference, rows }: BenchAnswer): string {
  const table = [
    ['row', 'speed', 'time', 'memory'],
    ['---', '---:', '---:', '---:'],
    ...rows.map(({ id, value, unit, seconds, bytes: used, problem }) =>
      value === null
        ? [id, problem ?? '', '', '']
        : [id, `${figure(value)} ${unit}`, `${figure(seconds * 1000)} ms`, bytes(used)],
    ),
  ];
  return [
    `${device}, ${library}, ${date}: losses of ten steps differ by ${difference.toExponential(1)} at most`,
    '',
    ...table.map(cells => `| ${cells.join(' | ')} |`),
  ].join('\n');
}
