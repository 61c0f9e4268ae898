// Matrices in bfloat16 or in blocks of 8 or 4 bits (files/weightBlocks.ts) as float32: the counterpart of capture/blockKernels.ts.
import { DEQUANTIZE_BLOCKS, type DequantizeAttributes, type DequantizeInputs } from '../../capture/blockKernels.js';
import { BLOCK_FORMATS, type BlockFormatName } from '../../files/weightBlocks.js';
import { bindingsOf, dispatch, ELEMENT_MAIN, output, u32, workgroupsFor, type Shader } from '../shader.js';
import { register } from './register.js';

/** WGSL: the value of a code, a signed number; `word` is the word of the unit that holds it, `at` the code's number in the unit. */
const CODE: Record<BlockFormatName, { word: string; value: string }> = {
  bfloat16: { word: '0u', value: 'bitcast<f32>(select(word << 16u, word & 0xffff0000u, at == 1u))' },
  int8: { word: 'at / 4u', value: 'f32(extractBits(bitcast<i32>(word), (at % 4u) * 8u, 8u))' },
  int4: {
    word: '(at % 16u) / 4u',
    value: 'f32(extractBits(bitcast<i32>(word), (at % 4u) * 8u + (at / 16u) * 4u, 4u))',
  },
  int4_minimum: { word: '(at % 16u) / 4u', value: 'f32(extractBits(word, (at % 4u) * 8u + (at / 16u) * 4u, 4u))' },
};

/**
 * WGSL functions that read a matrix: `weightAt(row, column)`. The storage arrays `codes`, `scales` and `minima`, of u32, must be
 * declared as far as the format has them, and a uniform `params` with `units`, the units of a row.
 */
export function weightReader(format: BlockFormatName): string {
  const { unit, codeBytes, parts } = BLOCK_FORMATS[format];
  const { word, value } = CODE[format];
  const part = (name: string) => `unpack2x16float(${name}[row * ((params.units + 1u) / 2u) + unit / 2u])[unit % 2u]`;
  return `fn weightAt(row: u32, column: u32) -> f32 {
    let unit = column / ${unit}u;
    let at = column % ${unit}u;
    let word = codes[(row * params.units + unit) * ${codeBytes / 4}u + ${word}];
    let code = ${value};
    return code${parts > 0 ? ` * ${part('scales')}` : ''}${parts > 1 ? ` + ${part('minima')}` : ''};
  }`;
}

/** The storage arrays of a matrix and their types, for `bindingsOf`. */
export function weightBindings(format: BlockFormatName): Record<string, string> {
  const { parts } = BLOCK_FORMATS[format];
  return { codes: 'u32', ...(parts > 0 && { scales: 'u32' }), ...(parts > 1 && { minima: 'u32' }) };
}

function shaderOf(format: BlockFormatName): Shader {
  return {
    key: `${DEQUANTIZE_BLOCKS} ${format}`,
    code: () => `${bindingsOf({ result: 'f32' }, weightBindings(format), ['count: u32', 'columns: u32', 'units: u32'])}
    ${weightReader(format)}
    ${ELEMENT_MAIN}
      if (index >= params.count) { return; }
      result[index] = weightAt(index / params.columns, index % params.columns);
    }`,
  };
}

/** [rows, columns] */
function dequantize({ codes, scales, minima }: DequantizeInputs, { format, columns }: DequantizeAttributes) {
  const [rows, units] = codes.shape;
  const result = output([rows, columns]);
  const count = rows * columns;
  dispatch(shaderOf(format), {
    outputs: [result],
    inputs: [codes, scales, minima].filter(tensor => tensor !== undefined),
    parameters: [u32(count), u32(columns), u32(units)],
    workgroups: workgroupsFor(count),
  });
  return result;
}

export function registerBlocks(): void {
  register<DequantizeInputs, DequantizeAttributes>(DEQUANTIZE_BLOCKS, dequantize);
}
