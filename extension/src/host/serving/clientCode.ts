// How other programs reach a server, as text to paste: a command, Python, settings of VS Code. Pure. The keys are those of VS Code's
// documentation (code.visualstudio.com/docs/agent-customization/language-models).

/** A server as its clients see it. */
export interface Endpoint {
  /** Such as http://127.0.0.1:40123. */
  url: string;
  /** What requests name as their model. */
  names: readonly string[];
  /** Positions that a conversation may use. */
  contextLength: number;
  /** Whether it can be told of tools. */
  readsTools: boolean;
}

const QUESTION = 'Hello!';

export const apiOf = ({ url }: Pick<Endpoint, 'url'>) => `${url.replace(/\/$/, '')}/v1`;

/** For a POSIX shell. */
export function curlCommand(endpoint: Endpoint): string {
  const body = JSON.stringify({ model: endpoint.names[0], messages: [{ role: 'user', content: QUESTION }] });
  return [
    `curl ${apiOf(endpoint)}/chat/completions`,
    `  -H 'Content-Type: application/json'`,
    `  -d '${body.replaceAll("'", String.raw`'\''`)}'`,
  ].join(' \\\n');
}

/** For the package `openai`, which requires a key. */
export function pythonCode(endpoint: Endpoint): string {
  const text = (value: string | undefined) => JSON.stringify(value);
  return `from openai import OpenAI

client = OpenAI(base_url=${text(apiOf(endpoint))}, api_key="unused")
completion = client.chat.completions.create(
    model=${text(endpoint.names[0])},
    messages=[{"role": "user", "content": ${text(QUESTION)}}],
)
print(completion.choices[0].message.content)
`;
}

/** For VS Code's settings.json: the models of its chat. Replaced by chatLanguageModels.json in 2026. */
export function chatSettings(endpoint: Endpoint): string {
  const models = endpoint.names.map(name => [name, { ...modelOf(endpoint, name), requiresAPIKey: false }]);
  return JSON.stringify({ 'github.copilot.chat.customOAIModels': Object.fromEntries(models) }, null, 2);
}

/** For VS Code's chatLanguageModels.json, which has a list of providers. */
export function chatLanguageModels(endpoint: Endpoint): string {
  const models = endpoint.names.map(name => ({ id: name, ...modelOf(endpoint, name) }));
  const provider = { name: 'Tunewright', vendor: 'customendpoint', apiKey: 'unused', apiType: 'chat-completions' };
  return JSON.stringify([{ ...provider, models }], null, 2);
}

/** VS Code takes the sum of both lengths for the context. */
function modelOf(endpoint: Endpoint, name: string) {
  const maxOutputTokens = Math.floor(endpoint.contextLength / 2);
  return {
    name,
    url: `${apiOf(endpoint)}/chat/completions`,
    toolCalling: endpoint.readsTools,
    vision: false,
    maxInputTokens: endpoint.contextLength - maxOutputTokens,
    maxOutputTokens,
  };
}
