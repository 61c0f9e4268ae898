// Parts of shaders that work on a matrix row by row, one workgroup for each row: its invocations share the row's columns and add up
// what they found in a fixed order, so that results are the same in every run.
import { webgpuBackend } from '../tfjsWebgpu.js';

/** Invocations for a row of this width. */
export function rowInvocations(width: number): number {
  return width <= 1024 ? 64 : 256;
}

/** One workgroup for each row. */
export function workgroupsForRows(rows: number): [number, number] {
  const most = webgpuBackend().device.limits.maxComputeWorkgroupsPerDimension;
  return rows <= most ? [rows, 1] : [most, Math.ceil(rows / most)];
}

/**
 * WGSL: the entry point of a shader with a workgroup for each row, which ends with a brace of the caller's. The uniform `params` must
 * have `rows`; `row` is the row's number, `local` the invocation's.
 */
export function rowMain(invocations: number): string {
  return `@compute @workgroup_size(${invocations})
  fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.y * groups.x + group.x;
    if (row >= params.rows) { return; }`;
}

/**
 * WGSL of a function that combines a value of each invocation of a workgroup; all invocations get the result.
 * @param type of the values
 * @param combined expression of two values `a` and `b`
 */
export function reduction(name: string, type: string, invocations: number, combined = 'a + b'): string {
  return `var<workgroup> ${name}Values: array<${type}, ${invocations}>;
  fn ${name}(value: ${type}, local: u32) -> ${type} {
    ${name}Values[local] = value;
    workgroupBarrier();
    for (var half = ${invocations / 2}u; half > 0u; half >>= 1u) {
      if (local < half) {
        let a = ${name}Values[local];
        let b = ${name}Values[local + half];
        ${name}Values[local] = ${combined};
      }
      workgroupBarrier();
    }
    let result = ${name}Values[0];
    workgroupBarrier();
    return result;
  }`;
}
