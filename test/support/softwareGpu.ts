// A GPU for tests on machines without one: SwiftShader, which Debian's package of Chromium carries. Dawn reads these variables when
// it is loaded, so they are set when this file is imported.
import { existsSync } from 'node:fs';

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

if (existsSync(DRIVER)) process.env.VK_ICD_FILENAMES ??= DRIVER;
