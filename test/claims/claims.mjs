// `npm run claims`: the measurements behind docs/measurements/claims.md, one process at a time at the lowest priority. It can be ended
// at any time and continues where it was, also in another clone: results are kept in media/claims/results, runs in runs/claims.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { root, setUp } from '../../extension/scripts/setUp.mjs';
import { answerOf, program } from '../bench/ours.mjs';
import { measureCosts } from './costs.mjs';
import { dataFiles, makeSmallModel } from './materials.mjs';
import { claimsPage } from './page.mjs';
import { collectRace, mergeResults, missingRuns, pruneRuns, readResults, tunedRate, writeResults } from './results.mjs';
import { measuredRates } from './figures.mjs';
import { plan, raceFile, smallPlan } from './work.mjs';

/** Between two looks at the results of a race that is running. */
const COLLECT_EVERY_MS = 60_000;
const MARKS = ['<!-- claims: written by npm run claims -->', '<!-- /claims -->'];

const HELP = `Usage: npm run claims [-- PART...] [--report] [--small [--out FOLDER]]

Measures the claims of PEFT (extension/docs/measurements/claims.md). It takes hours, can be ended with Ctrl-C, and continues
where it was.

PART           only races and costs with this in their names, such as embedded or smollm2-pirate
--report       write page, pictures and README's table from the results, and train nothing
--small        a small version, in less than a minute: one task, two methods, a few steps
--out FOLDER   where the small version writes everything (default: runs/claims-small)
`;

const { values, positionals } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    report: { type: 'boolean' },
    small: { type: 'boolean' },
    out: { type: 'string' },
  },
  allowPositionals: true,
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const measuredPlan = values.small ? smallPlan() : plan();
const small = resolve(values.out ?? join(root, 'runs/claims-small'));
const claims = join(root, 'media/claims');
const places = values.small
  ? {
      work: join(small, 'runs'),
      races: join(small, 'races'),
      results: join(small, 'results'),
      pictures: join(small, 'pictures'),
      page: join(small, 'claims.md'),
      rates: join(small, 'measuredRates.json'),
      readme: null,
    }
  : {
      work: join(root, 'runs/claims'),
      races: join(claims, 'races'),
      results: join(claims, 'results'),
      pictures: join(claims, 'pictures'),
      page: join(root, 'extension/docs/measurements/claims.md'),
      rates: join(root, 'extension/src/core/runs/measuredRates.json'),
      readme: join(root, 'README.md'),
    };

setUp();
if (!values.report) {
  setPriority(constants.priority.PRIORITY_LOW);
  const chosen = name => positionals.length === 0 || positionals.some(part => name.includes(part));
  if (!values.small)
    for (const [name, content] of Object.entries(await dataFiles())) write(join(claims, 'data', name), content);
  for (const model of measuredPlan.models) {
    for (const race of measuredPlan.races) if (race.model === model && chosen(race.id)) await runRace(race);
    if (chosen(`${model.id}-costs`)) await runCosts(model);
  }
}
await writePage();

/** Runs what is missing of a race, seed by seed, so that one seed of all methods is known early. */
async function runRace(race) {
  for (const folder of raceFolders(race)) await collect(race, folder);
  const results = () => readResults(places.results, race.id);
  if (missingRuns(race, results()).length === 0) return;
  await makeModel(race.model);
  const rates = measuredPlan.races.find(
    ({ kind, model, task }) => kind === 'rates' && model === race.model && task === race.task,
  );
  const writeRace = (file, part) => {
    const content = raceFile(
      part,
      name => tunedRate(rates, readResults(places.results, rates.id), name)?.rate ?? null,
      path => relative(dirname(file), join(root, path)).replaceAll('\\', '/'),
    );
    if (content === null) throw new Error(`${race.id} needs the rates of ${rates.id}, which isn't measured yet`);
    write(file, `${JSON.stringify(content, null, 2)}\n`);
  };
  writeRace(join(places.races, `${race.id}.race.json`), race);
  for (const seed of race.seeds) {
    const runs = missingRuns({ ...race, seeds: [seed] }, results()).map(({ run }) => run);
    if (runs.length === 0) continue;
    const name = `${race.id}-seed${seed}-${raceFolders(race).length + 1}`;
    const file = join(places.work, 'races', `${name}.race.json`);
    writeRace(file, { ...race, seeds: [seed], runs });
    await runPart(race, file, join(places.work, 'races', name));
  }
}

/** The race folders of all sessions: each holds the runs that were missing when it began. */
function raceFolders({ id }) {
  const folder = join(places.work, 'races');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const own = names.filter(name => name.startsWith(`${id}-seed`)).map(name => join(folder, name));
  return own.filter(path => existsSync(join(path, 'race.json')));
}

async function collect({ id }, folder) {
  const { results, done } = await collectRace(folder);
  writeResults(places.results, id, mergeResults(readResults(places.results, id), results));
  pruneRuns(done);
}

async function runPart(race, file, folder) {
  const child = spawn(process.execPath, [program, 'race', file, '--out', folder, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((done, failed) => child.on('error', failed).on('close', done));
  let collected = Date.now();
  for await (const line of createInterface({ input: child.stdout })) {
    if (JSON.parse(line).type !== 'started' || Date.now() - collected < COLLECT_EVERY_MS) continue;
    await collect(race, folder);
    collected = Date.now();
  }
  const code = await ended;
  if (existsSync(join(folder, 'race.json'))) await collect(race, folder);
  if (code !== 0) throw new Error(`tunewright race ended with ${code}; run npm run claims again to continue`);
}

async function runCosts(model) {
  const id = `${model.id}-costs`;
  await makeModel(model);
  const { entries, settings } = model.costs;
  const reference = model.isMade ? join(root, model.reference) : model.reference;
  const known = readResults(places.results, id);
  const save = costs => writeResults(places.results, id, costs);
  await measureCosts({ model: reference, settings, entries, known, folder: join(places.work, 'rows'), save });
}

async function makeModel(model) {
  if (model.isMade) await makeSmallModel(join(places.work, model.id));
}

async function writePage() {
  const figures = {
    race: id => readResults(places.results, id),
    costs: id => readResults(places.results, `${id}-costs`),
  };
  await writeFormatted(places.rates, JSON.stringify(measuredRates(measuredPlan, figures)), 'json');
  // After the rates, from which it proposes.
  const { proposedRate } = await importEngineModule('core/runs/proposedRate.ts');
  const { paretoChart } = await importEngineModule('core/race/paretoChart.ts');
  const { methods } = answerOf('describe', 'methods');
  const usualRates = Object.fromEntries(methods.map(method => [method.peft_type, method.learning_rate]));
  const svg = await importEngineModule('core/charts/svg.ts');
  const extension = { paretoChart, svg, proposedRate, usualRates };
  const picturePath = relative(dirname(places.page), places.pictures).replaceAll('\\', '/');
  const { page, summary, pictures } = claimsPage(measuredPlan, figures, extension, picturePath);
  rmSync(places.pictures, { recursive: true, force: true });
  for (const [name, svg] of pictures) write(join(places.pictures, name), svg);
  await writeFormatted(places.page, page, 'markdown');
  console.log(`${relative('.', places.page)}`);
  if (places.readme === null) return;
  const readme = readFileSync(places.readme, 'utf8');
  const [from, to] = MARKS.map(mark => readme.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`README.md has no lines ${MARKS.join(' and ')}`);
  const table = `${readme.slice(0, from)}${MARKS[0]}\n\n${summary}\n\n${readme.slice(to)}`;
  await writeFormatted(places.readme, table, 'markdown');
}

function write(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** As `npm run format` leaves it. */
async function writeFormatted(path, text, parser) {
  const options = await resolveConfig(join(root, 'README.md'));
  write(path, await format(text, { ...options, parser }));
}
