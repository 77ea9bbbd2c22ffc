// node render.mjs MODULES < JOBS: draws each line {"svg": …, "out": …, "width": …} as a PNG with transparency,
// and lines {"avatar": STYLE, "seed": …, "out": …} as the SVG of a DiceBear avatar.
import fs from 'fs'; import readline from 'readline'; import { createRequire } from 'module'; import { pathToFileURL } from 'url';
const modules = process.argv[2], require = createRequire(pathToFileURL(modules + '/x.js'));
const { Resvg } = require(modules + '/@resvg/resvg-js');
const { createAvatar } = await import(pathToFileURL(modules + '/@dicebear/core/lib/index.js'));
const styles = await import(pathToFileURL(modules + '/@dicebear/collection/lib/index.js'));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  try {
    if (job.avatar) fs.writeFileSync(job.out, createAvatar(styles[job.avatar], { seed: job.seed }).toString());
    else fs.writeFileSync(job.out, new Resvg(job.svg, { fitTo: { mode: 'width', value: job.width }, font: { loadSystemFonts: false } }).render().asPng());
  } catch (error) { console.error(job.out, String(error.message).slice(0, 80)); }
}
