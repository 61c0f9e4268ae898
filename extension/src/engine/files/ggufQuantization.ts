// Dequantizers for the block-quantized types of GGUF: bytes of whole blocks in, float32 out. Called by gguf.ts. Bit for bit the
// values of llama.cpp: all products and sums are exact in float64 and are rounded once, when they are stored.
// Layouts: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h
import { halfToNumber } from './halfFloat.js';

export interface Quantization {
  /** Values in a block; a row is a whole number of blocks. */
  blockValues: number;
  /** Bytes of a block. */
  blockBytes: number;
  /** Fills `values` from whole blocks. */
  dequantize(bytes: Uint8Array, values: Float32Array): void;
}

type Block = (bytes: Uint8Array, at: number, values: Float32Array, to: number) => void;

function quantization(blockValues: number, blockBytes: number, block: Block): Quantization {
  return {
    blockValues,
    blockBytes,
    dequantize: (bytes, values) => {
      for (let at = 0, to = 0; to < values.length; at += blockBytes, to += blockValues) block(bytes, at, values, to);
    },
  };
}

function half(bytes: Uint8Array, at: number): number {
  return halfToNumber(bytes[at] | (bytes[at + 1] << 8));
}

function uint32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** The 6-bit scale of sub-block j of Q4_K and Q5_K; 8 scales and 8 minima share 12 bytes. */
function scaleOf(bytes: Uint8Array, at: number, j: number): number {
  return j < 4 ? bytes[at + j] & 63 : (bytes[at + j + 4] & 15) | ((bytes[at + j - 4] >> 6) << 4);
}

function minimumOf(bytes: Uint8Array, at: number, j: number): number {
  return j < 4 ? bytes[at + j + 4] & 63 : (bytes[at + j + 4] >> 4) | ((bytes[at + j] >> 6) << 4);
}

/** By GGUF's name. In blocks of 32, the low four bits of byte i are value i, the high four are value i + 16. */
export const quantizations: Readonly<Record<string, Quantization>> = {
  /** scale f16, 32 x int8 */
  Q8_0: quantization(32, 34, (bytes, at, values, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) values[to + i] = scale * ((bytes[at + 2 + i] << 24) >> 24);
  }),

  /** scale f16, 32 x 4 bits, offset 8 */
  Q4_0: quantization(32, 18, (bytes, at, values, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 2 + i];
      values[to + i] = scale * ((byte & 15) - 8);
      values[to + 16 + i] = scale * ((byte >> 4) - 8);
    }
  }),

  /** scale f16, minimum f16, 32 x 4 bits */
  Q4_1: quantization(32, 20, (bytes, at, values, to) => {
    const scale = half(bytes, at);
    const minimum = half(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 4 + i];
      values[to + i] = scale * (byte & 15) + minimum;
      values[to + 16 + i] = scale * (byte >> 4) + minimum;
    }
  }),

  /** scale f16, 32 fifth bits, 32 x 4 bits, offset 16 */
  Q5_0: quantization(32, 22, (bytes, at, values, to) => {
    const scale = half(bytes, at);
    const fifth = uint32(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 6 + i];
      values[to + i] = scale * (((byte & 15) | (((fifth >>> i) & 1) << 4)) - 16);
      values[to + 16 + i] = scale * (((byte >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) - 16);
    }
  }),

  /** scale f16, minimum f16, 32 fifth bits, 32 x 4 bits */
  Q5_1: quantization(32, 24, (bytes, at, values, to) => {
    const scale = half(bytes, at);
    const minimum = half(bytes, at + 2);
    const fifth = uint32(bytes, at + 4);
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 8 + i];
      values[to + i] = scale * ((byte & 15) | (((fifth >>> i) & 1) << 4)) + minimum;
      values[to + 16 + i] = scale * ((byte >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) + minimum;
    }
  }),

  /** scale of scales f16, scale of minima f16, 12 bytes of scales and minima, 8 sub-blocks of 32 x 4 bits */
  Q4_K: quantization(256, 144, (bytes, at, values, to) => {
    const scales = half(bytes, at);
    const minima = half(bytes, at + 2);
    for (let j = 0; j < 8; j++) {
      const scale = scales * scaleOf(bytes, at + 4, j);
      const minimum = minima * minimumOf(bytes, at + 4, j);
      const from = at + 16 + (j >> 1) * 32;
      const shift = (j & 1) * 4;
      for (let i = 0; i < 32; i++) values[to + j * 32 + i] = scale * ((bytes[from + i] >> shift) & 15) - minimum;
    }
  }),

  /** as Q4_K, with 32 bytes of fifth bits before the 4 bits: bit j of byte i belongs to value i of sub-block j */
  Q5_K: quantization(256, 176, (bytes, at, values, to) => {
    const scales = half(bytes, at);
    const minima = half(bytes, at + 2);
    for (let j = 0; j < 8; j++) {
      const scale = scales * scaleOf(bytes, at + 4, j);
      const minimum = minima * minimumOf(bytes, at + 4, j);
      const from = at + 48 + (j >> 1) * 32;
      const shift = (j & 1) * 4;
      for (let i = 0; i < 32; i++) {
        const fifth = ((bytes[at + 16 + i] >> j) & 1) << 4;
        values[to + j * 32 + i] = scale * (((bytes[from + i] >> shift) & 15) | fifth) - minimum;
      }
    }
  }),

  /** 128 bytes of low 4 bits, 64 of high 2 bits, 16 x int8 scales, scale of scales f16, offset 32 */
  Q6_K: quantization(256, 210, (bytes, at, values, to) => {
    const scales = half(bytes, at + 208);
    for (let j = 0; j < 8; j++) {
      // Sub-blocks of 32 in two halves of 128 values; in each half, two sub-blocks share their low bytes and four their high ones.
      const low = at + (j >> 2) * 64 + (j & 1) * 32;
      const lowShift = ((j >> 1) & 1) * 4;
      const high = at + 128 + (j >> 2) * 32;
      const highShift = (j & 3) * 2;
      for (let i = 0; i < 32; i++) {
        const scale = (bytes[at + 192 + j * 2 + (i >> 4)] << 24) >> 24;
        const value = ((bytes[low + i] >> lowShift) & 15) | (((bytes[high + i] >> highShift) & 3) << 4);
        values[to + j * 32 + i] = scales * scale * (value - 32);
      }
    }
  }),
};
