// A merged model in Ollama: written as GGUF, sent to its server, and asked there. Without a template of Go, so that the model's own
// counts, and with the texts that end its answers.
import { CodedError } from '../../../core/codedError.js';
import { isSince, JINJA_SINCE, ollamaName, proposedName, unmistakable } from '../../../core/exports/ollama.js';
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import type { ModelFiles } from '../../files/tensorSource.js';
import { filesWithTemplate } from '../../models/modelOnDisk.js';
import { askInstalled, notAsked, whyNotAsked, servedLanguage, type Asking } from '../askInstalled.js';
import type { ExportSource } from '../exportSource.js';
import type { ExportTarget, PlannedExport } from '../exportTarget.js';
import { checkNewModel, findOllama, hasOtherModel, installInOllama, type Ollama } from '../installInOllama.js';
import { mergeIntoGguf } from '../mergeModel.js';
import type { ShownModel } from '../ollamaClient.js';
import { checkGgufBase, ggufEntryOf, planGguf } from './gguf.js';

type Entry = ExportEntryOf<'ollama'>;

export const ollama: ExportTarget<Entry> = {
  target: 'ollama',
  to: 'ollama',
  takes: 'model',
  writes: 'elsewhere',

  fileName: source => `${proposedName(source.name)}.gguf`,

  checkBase(source, entry) {
    nameOf(source, entry);
    checkGgufBase(source);
  },

  async check(source, entry) {
    nameOf(source, entry);
    await findOllama();
  },

  async isTaken(source, entry, own) {
    return has(await reachable(), nameOf(source, entry), own);
  },

  async plan(source, entry) {
    const name = nameOf(source, entry);
    const found = await reachable();
    const isNew = found instanceof CodedError || rendersJinja(found);
    const planned = await planGguf(source, ggufEntryOf(entry), files => served(files, isNew));
    return { ...planned, taken: await has(found, name, new Set()), needs: [needOf(found)] };
  },

  async write(source, entry, context) {
    const { out, reporter, signal } = context;
    const name = nameOf(source, entry);
    const found = await findOllama(signal);
    const { version, client, isLoopback } = found;
    if (!isLoopback)
      reporter.warn('remote_ollama', `OLLAMA_HOST names ${client.url}: the model is sent to another machine`);
    if (!rendersJinja(found))
      reporter.warn(
        'old_ollama',
        `Ollama ${version} doesn't render the chat template in the file; ${JINJA_SINCE} and later versions do`,
      );
    await checkNewModel(found, name, context, signal);
    const written = await mergeIntoGguf(out, source.base, source.adapters, {
      ...context,
      ...ggufEntryOf(entry),
      served: files => served(files, rendersJinja(found)),
    });
    const installation = { file: out, name, parameters: parametersOf(source), reporter, signal };
    const sha256 = await installInOllama(found, installation);
    return { ...written, sha256, place: `Ollama: ${name}` };
  },

  async ask(source, entry, { out, compare, reporter, signal }) {
    const model = nameOf(source, entry);
    const { client, version } = await findOllama(signal).catch(() => ({ client: null, version: null }));
    const about = { program: 'Ollama', version, model };
    if (!compare) return notAsked(about, 'left out with --no-compare');
    if (!client) return notAsked(about, 'its server doesn’t answer');
    const shown = await client.show(model).catch(error => whyNotAsked(error, signal));
    if (typeof shown === 'string') return notAsked(about, shown);
    if (!shown) return notAsked(about, `its server doesn’t know ${model}`);
    const ask = async (prompt: string, { maxNewTokens, seed, isChat }: Asking) => {
      const options = { temperature: 0, seed, num_predict: maxNewTokens, repeat_penalty: 1 };
      if (!isChat) return client.complete(model, prompt, options);
      const rendered = await client.renderedPrompt(model, prompt);
      return { ...(await client.chat(model, prompt, options)), rendered };
    };
    const language = servedLanguage(source);
    const templateReason = reasonOf(shown, version!, language.tokenizer.chatTemplate);
    const facts = { ...about, type: entry.type, stopsThere: stopsIn(shown), templateReason };
    return askInstalled({ source, language, file: out, ask, facts, reporter, signal });
  },
};

function nameOf({ name }: ExportSource, entry: Entry): string {
  return ollamaName(entry.name ?? proposedName(name));
}

function rendersJinja({ version }: Pick<Ollama, 'version'>): boolean {
  return isSince(version, JINJA_SINCE);
}

/** What Ollama gets of a model. Versions that don't render Jinja do better with a template that they know. */
function served(files: ModelFiles, isNew: boolean): ModelFiles {
  const template = files.tokenizer?.config['chat_template'];
  if (!isNew || !template) return files;
  return filesWithTemplate(files, unmistakable(template), files.tokenizer?.templatePlace ?? { file: files.path });
}

/** Ollama, or why it can't be used. */
async function reachable(): Promise<Ollama | CodedError> {
  try {
    return await findOllama();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

async function has(found: Ollama | CodedError, name: string, own: ReadonlySet<string>): Promise<boolean> {
  return !(found instanceof CodedError) && hasOtherModel(found, name, own);
}

function needOf(found: Ollama | CodedError): NonNullable<PlannedExport['needs']>[number] {
  if (found instanceof CodedError) return { what: found.message, met: false, hint: found.hint ?? null };
  const { client, version, program, isLoopback } = found;
  const where = program ?? client.url;
  const what = `Ollama ${version} at ${where}${isLoopback ? '' : ', another machine, to which the model is sent'}`;
  const hint = rendersJinja(found)
    ? null
    : `It doesn't render the chat template in the file; ${JINJA_SINCE} and later versions do.`;
  return { what, met: true, hint };
}

/** As the model's generation_config.json says; nothing is penalized unless it is named there. */
function parametersOf(source: ExportSource): Record<string, string[] | number> {
  const { stops, generationConfig: config } = servedLanguage(source);
  const isSampling = config['do_sample'] === true;
  const sampling = isSampling ? (['temperature', 'top_k', 'top_p', 'min_p'] as const) : [];
  const given = sampling.flatMap(key => (typeof config[key] === 'number' ? [[key, config[key]] as const] : []));
  const { repetition_penalty: penalty } = config;
  return {
    ...(stops.length > 0 && { stop: stops }),
    repeat_penalty: typeof penalty === 'number' ? penalty : 1,
    ...Object.fromEntries(given),
  };
}

/** `stop   "text"` a line, in Go's syntax, which for such texts is JSON's. */
function stopsIn({ parameters }: ShownModel): string[] {
  return parameters.split('\n').flatMap(line => {
    const [, text] = /^stop\s+(".*")$/.exec(line.trim()) ?? [];
    if (text === undefined) return [];
    try {
      return [String(JSON.parse(text))];
    } catch {
      return [text.slice(1, -1)];
    }
  });
}

/** Why Ollama may write conversations in its own way. @param own the model's template */
function reasonOf({ template }: ShownModel, version: string, own: string | null): string | null {
  if (!isSince(version, JINJA_SINCE))
    return `Version ${version} doesn't render the chat template in the file: update Ollama to ${JINJA_SINCE} or later.`;
  // Without a template of Go, some versions show one that is none, others the file's.
  if (['', '{{ .Prompt }}', own, unmistakable(own)].includes(template)) return null;
  return 'It has replaced the chat template by one of its own: set OLLAMA_GO_TEMPLATE=0 for its server.';
}
