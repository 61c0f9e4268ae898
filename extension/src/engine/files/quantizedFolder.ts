// Recognises model folders whose weights are quantized, by config.json and by names and types of their tensors, and says
// what to use instead. Called by huggingfaceFolder.ts, for every command, before any shape is checked. Facts are those of
// Transformers 5.24's quantizers and of the tools that write such folders.
import { InputError } from '../../core/inputError.js';
import type { StoredTensor } from './tensorSource.js';

export interface Quantization {
  /** As its tool calls it. */
  method: string;
  /** Of a value; null if that isn't known. */
  bits: number | null;
}

type Tensors = ReadonlyMap<string, Pick<StoredTensor, 'shape' | 'dtype'>>;

/** Names of `quant_method` that are written differently. */
const METHOD_NAMES: Readonly<Record<string, string>> = {
  gptq: 'GPTQ',
  awq: 'AWQ',
  aqlm: 'AQLM',
  vptq: 'VPTQ',
  quanto: 'Quanto',
  eetq: 'EETQ',
  higgs: 'HIGGS',
  hqq: 'HQQ',
  fbgemm_fp8: 'FBGEMM FP8',
  bitnet: 'BitNet',
  spqr: 'SpQR',
  fp8: 'FP8',
  mxfp4: 'MXFP4',
  nvfp4: 'NVFP4',
  mxfp8: 'MXFP8',
  quark: 'Quark',
  modelopt: 'ModelOpt',
};

/** The quantization that config.json names (`quantization` is MLX's key); null if there is none. */
export function quantizationInConfig(config: Record<string, unknown>): Quantization | null {
  const mlx = asObject(config['quantization']);
  const settings = asObject(config['quantization_config']) ?? mlx;
  if (!settings) return null;
  const method = methodOf(settings, mlx !== null);
  return { method, bits: bitsOf(settings, method) };
}

function methodOf(settings: Record<string, unknown>, isMlx: boolean): string {
  const named = settings['quant_method'];
  if (typeof named === 'string') return METHOD_NAMES[named.toLowerCase()] ?? named;
  if ('load_in_4bit' in settings || 'load_in_8bit' in settings) return 'bitsandbytes';
  if ('desc_act' in settings) return 'GPTQ';
  if ('w_bit' in settings || 'zero_point' in settings) return 'AWQ';
  if ('config_groups' in settings) return 'compressed-tensors';
  if ('quant_algo' in settings) return 'ModelOpt';
  return isMlx || 'group_size' in settings ? 'MLX' : 'an unknown method';
}

function bitsOf(settings: Record<string, unknown>, method: string): number | null {
  if (settings['load_in_4bit'] || settings['_load_in_4bit']) return 4;
  if (settings['load_in_8bit'] || settings['_load_in_8bit']) return 8;
  const direct = ['bits', 'w_bit', 'nbits', 'num_bits'].map(key => settings[key]).find(Number.isFinite);
  if (direct !== undefined) return direct as number;
  // compressed-tensors and HQQ have them deeper; torchao, Quanto and EETQ as "int4_weight_only", "int8", "Int4Config".
  const text = JSON.stringify(settings);
  const within = /"(?:num_bits|nbits)":(\d+)/.exec(text) ?? /"[^"]*(?:int|float|fp)(\d)[^"]*"/i.exec(text);
  const inName = /fp(\d)/i.exec(method);
  const found = inName ?? within;
  return found ? Number(found[1]) : null;
}

/** Tensors that only a method's own folders contain: by the end of a name, and the type of a weight. */
const SIGNS: readonly { method: string; bits: number | null; name: RegExp; dtype?: RegExp }[] = [
  { method: 'bitsandbytes', bits: 4, name: /\.weight\.(absmax|quant_map|quant_state\.bitsandbytes__\w+)$/ },
  { method: 'bitsandbytes', bits: 8, name: /\.(SCB|weight_format)$/ },
  { method: 'HQQ', bits: null, name: /\.W_q$/ },
  { method: 'GPTQ', bits: null, name: /\.g_idx$/ },
  { method: 'torchao', bits: null, name: /\._weight_(qdata|scale|zero_point)$/ },
  { method: 'Quanto', bits: null, name: /\.weight\._(data|scale|shift)$/ },
  { method: 'AQLM', bits: null, name: /\.codebooks$/ },
  { method: 'EETQ', bits: 8, name: /\.weight_scales$/ },
  { method: 'compressed-tensors', bits: null, name: /\.weight_packed$/ },
  { method: 'MXFP4', bits: 4, name: /_blocks$/, dtype: /^U8$/ },
  { method: 'FP8', bits: 8, name: /\.weight_scale_inv$/ },
  { method: 'FP8', bits: 8, name: /\.weight$/, dtype: /^F8/ },
  { method: 'compressed-tensors', bits: 8, name: /\.weight$/, dtype: /^I8$/ },
  { method: 'MLX', bits: null, name: /\.weight$/, dtype: /^U32$/ },
];

/** The quantization that a folder's tensors show, without config.json; null if there is none. */
export function quantizationOfTensors(tensors: Tensors): Quantization | null {
  const packed = [...tensors].find(([name]) => name.endsWith('.qweight'));
  if (packed) return packedQuantization(packed[0].slice(0, -'.qweight'.length), tensors);
  for (const { name: pattern, dtype: type, ...found } of SIGNS)
    if ([...tensors].some(([name, { dtype }]) => pattern.test(name) && (type?.test(dtype) ?? true))) return found;
  const integers = [...tensors].some(
    ([name, { dtype }]) => /\.weight$/.test(name) && !/^(F|BF)(16|32|64)$/.test(dtype),
  );
  return integers ? { method: 'an unknown method', bits: null } : null;
}

/** GPTQ packs the rows of a weight [in, out] into int32, AWQ its columns; both have a scale per column. */
function packedQuantization(module: string, tensors: Tensors): Quantization {
  const of = (part: string) => tensors.get(`${module}.${part}`)?.shape.at(-1) ?? 0;
  const [weight, zeros, columns] = [of('qweight'), of('qzeros'), of('scales')];
  const isGptq = weight === columns;
  const bits = (32 * (isGptq ? zeros : weight)) / columns;
  return { method: isGptq ? 'GPTQ' : 'AWQ', bits: Number.isInteger(bits) && bits > 0 ? bits : null };
}

export interface QuantizedFolder {
  quantization: Quantization;
  /** The folder. */
  path: string;
  /** The model as named by the user. */
  reference: string;
  config: Record<string, unknown>;
  /** Whether all stored weights are ordinary numbers, although config.json names a quantization. */
  isPlain: boolean;
}

/** Says what a folder is and what to use instead. */
export function quantizedError({ quantization, path, reference, config, isPlain }: QuantizedFolder): InputError {
  const key = config['quantization_config']
    ? 'quantization_config'
    : config['quantization']
      ? 'quantization'
      : undefined;
  return new InputError(`the weights are quantized (${quantizationText(quantization)}), which is not supported`, {
    file: key ? `${path}/config.json` : path,
    key,
    hint: isPlain
      ? `The stored weights themselves are not quantized: to use them as they are, remove ${key} from config.json.`
      : `Use ${originalOf(reference, config) ?? 'the 16-bit model that it was made from'}, or a GGUF file of it. engine.base_weights can then hold it in 8 or 4 bits.`,
  });
}

/** For example "bitsandbytes, 4 bit". */
export function quantizationText({ method, bits }: Quantization): string {
  return bits === null ? method : `${method}, ${bits} bit`;
}

/** The end of an id that names a quantization, such as unsloth's -unsloth-bnb-4bit or Qwen's -GPTQ-Int4. */
const QUANTIZED_ENDING =
  /(-unsloth)?[-_](bnb|gptq|awq|hqq|eetq|aqlm|fp8|mxfp4|nvfp4|w4a16|w8a8|int4|int8|[2348]bit|[48]-bit)([-_.](dynamic|block|static|int\d|fp8|w\d+a\d+|[2348]bit|g\d+|\d+g))*$/i;

/** The 16-bit model that the names suggest; null if they don't. */
function originalOf(reference: string, config: Record<string, unknown>): string | null {
  for (const id of [reference, config['_name_or_path']]) {
    if (typeof id !== 'string' || !QUANTIZED_ENDING.test(id)) continue;
    const original = id.replace(QUANTIZED_ENDING, '').split(/[\\/]/).slice(-2).join('/');
    return `the 16-bit model (by its name, ${original})`;
  }
  return null;
}

function asObject(value: unknown): Record<string, unknown> | null {
  const isObject = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  return isObject ? (value as Record<string, unknown>) : null;
}
