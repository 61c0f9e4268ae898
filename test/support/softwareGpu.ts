// A GPU for tests on machines without one: SwiftShader, which Debian's package of Chromium carries.
import { existsSync } from 'node:fs';

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Call it before a backend is opened: Dawn reads the variable when it is loaded. A driver that is set already stays. */
export function useSoftwareGpu(): void {
  if (existsSync(DRIVER)) process.env.VK_ICD_FILENAMES ??= DRIVER;
}
