// Activation functions and gated ones (arXiv:2002.05202), element by element, with their gradients: the curves of models/activations.ts.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, ELEMENT_MAIN, emptied, output, u32, workgroupsFor, type Shader } from '../shader.js';
import { register } from './register.js';

export const ACTIVATION = 'Activation';
export const ACTIVATION_GRADIENT = 'ActivationGradient';
export const GATED_ACTIVATION = 'GatedActivation';
export const GATED_ACTIVATION_GRADIENT = 'GatedActivationGradient';

// tanh and exp of WGSL may overflow far from 0.
const TANH = `fn tanhOf(x: f32) -> f32 {
    let e = exp(-2.0 * abs(x));
    return sign(x) * (1.0 - e) / (1.0 + e);
  }`;

const SIGMOID = 'fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0))); }';

// The rational function of Eigen and XLA, exact to 3e-8.
const ERF = `fn erf(x: f32) -> f32 {
    if (abs(x) > 3.8325) { return sign(x); }
    let s = x * x;
    let p = (((2.2905065861350646e-4 * s + 3.4082910107109506e-3) * s + 5.0955695062380861e-2) * s
      + 1.8520832239976145e-1) * s + 1.128379143519084;
    let q = (((((-1.1791602954361697e-7 * s + 2.3547966471313185e-5) * s + 1.0179625278914885e-3) * s
      + 1.4070470171167667e-2) * s + 1.1098505178285362e-1) * s + 4.9746925110067538e-1) * s + 1.0;
    return x * p / q;
  }`;

const sigmoidLinear = (scale: string) => `${SIGMOID}
  fn curve(x: f32) -> vec2f {
    let gate = sigmoid(x * ${scale});
    return vec2f(x * gate, gate + ${scale} * x * gate * (1.0 - gate));
  }`;

/** WGSL: value and slope at x, by the first of Transformers' names. */
const CURVES = {
  silu: sigmoidLinear('1.0'),
  quick_gelu: sigmoidLinear('1.702'),
  gelu: `${ERF}
  fn curve(x: f32) -> vec2f {
    let share = 0.5 * (erf(x * ${Math.SQRT1_2}) + 1.0);
    return vec2f(x * share, share + x * exp(-0.5 * x * x) * ${1 / Math.sqrt(2 * Math.PI)});
  }`,
  gelu_new: `${TANH}
  fn curve(x: f32) -> vec2f {
    let t = tanhOf((x + 0.044715 * x * x * x) * ${Math.sqrt(2 / Math.PI)});
    let inner = (1.0 + ${3 * 0.044715} * x * x) * ${Math.sqrt(2 / Math.PI)};
    return vec2f(0.5 * x * (t + 1.0), 0.5 * (t + 1.0) + 0.5 * x * (1.0 - t * t) * inner);
  }`,
  relu: 'fn curve(x: f32) -> vec2f { return select(vec2f(0.0), vec2f(x, 1.0), x > 0.0); }',
  relu2: 'fn curve(x: f32) -> vec2f { return select(vec2f(0.0), vec2f(x * x, 2.0 * x), x > 0.0); }',
  tanh: `${TANH}
  fn curve(x: f32) -> vec2f {
    let t = tanhOf(x);
    return vec2f(t, 1.0 - t * t);
  }`,
};

export type CurveName = keyof typeof CURVES;

export interface ActivationAttributes {
  curve: CurveName;
}

/** An elementwise kernel of the `curve`: statements that read the inputs and write the outputs at `index`. */
function registerCurves(
  kernelName: string,
  outputNames: readonly string[],
  inputNames: readonly string[],
  statements: string,
): void {
  const arrays = (names: readonly string[]) => Object.fromEntries(names.map(name => [name, 'f32']));
  const shaderOf = (curve: CurveName): Shader => ({
    key: `${kernelName} ${curve}`,
    code: () => `${bindingsOf(arrays(outputNames), arrays(inputNames), ['count: u32'])}
    ${CURVES[curve]}
    ${ELEMENT_MAIN}
      if (index >= params.count) { return; }
      ${statements}
    }`,
  });
  register<Record<string, tf.Tensor>, ActivationAttributes>(kernelName, (inputs, { curve }) => {
    const tensors = inputNames.map(name => inputs[name]!);
    const { shape } = tensors[0]!;
    const count = tf.util.sizeFromShape(shape);
    const outputs = outputNames.map(() => output(shape));
    if (count === 0) outputs.forEach(emptied);
    else
      dispatch(shaderOf(curve), {
        outputs,
        inputs: tensors,
        parameters: [u32(count)],
        workgroups: workgroupsFor(count),
      });
    return outputs.length === 1 ? outputs[0]! : outputs;
  });
}

/** All tensors of a kernel have the same shape. */
export function registerActivations(): void {
  registerCurves(ACTIVATION, ['y'], ['x'], 'y[index] = curve(x[index]).x;');
  registerCurves(ACTIVATION_GRADIENT, ['dx'], ['x', 'dy'], 'dx[index] = dy[index] * curve(x[index]).y;');
  registerCurves(GATED_ACTIVATION, ['y'], ['gate', 'up'], 'y[index] = curve(gate[index]).x * up[index];');
  registerCurves(
    GATED_ACTIVATION_GRADIENT,
    ['dGate', 'dUp'],
    ['gate', 'up', 'dy'],
    `let at = curve(gate[index]);
      dGate[index] = dy[index] * up[index] * at.y;
      dUp[index] = dy[index] * at.x;`,
  );
}
