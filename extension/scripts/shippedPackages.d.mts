// Types of shippedPackages.mjs for the tests.
export interface ShippedPackage {
  folder: string;
  name: string;
  version: string;
  licence: string;
  integrity: string;
}
export const PERMITTED_LICENCES: string[];
export function isPermitted(licence: unknown): boolean;
export function shippedPackages(root: string, sources: Iterable<string>, asFiles: string[]): ShippedPackage[];
export function noticesOf(root: string, packages: ShippedPackage[]): string;
export interface Component {
  type: string;
  name: string;
  version?: string;
  purl?: string;
  licenses: unknown[];
  hashes: { alg: string; content: string }[];
}
export function billOfMaterials(
  manifest: { name: string; version: string; license: string },
  packages: ShippedPackage[],
  model: { name: string; content: Buffer }[],
): { bomFormat: string; specVersion: string; components: Component[] };
