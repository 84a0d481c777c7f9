import { parseArgs } from 'node:util'
import { measureBalance } from './balance.ts'
import { document } from './document.ts'
import { measureMemory, measureStart } from './memory.ts'
import { measureProfile } from './profile.ts'
import type { Parts } from './results.ts'
import { partNames, readResults, withOrigin, writeResults } from './results.ts'
import { measureScale } from './scale.ts'
import { sections } from './sections.ts'
import { measureSteps } from './steps.ts'

/**
 * `npm run bench -- [PART…] [OPTION…]`. Parts: steps (where none is named), profile, scale, memory, start, balance.
 *
 * - `--short`: some seconds of the steps, for a build machine;
 * - `--features`: also the service without log, metrics, history or limits;
 * - `--peers`: also the peers; `npm run bench:peers` installs them first;
 * - `--only NAME,NAME`: these subjects alone;
 * - `--rounds N`, `--scale N`: other than 5 rounds, and as many times the usual requests;
 * - `--write`: keeps the results in bench/results and writes them into docs/performance.md and its picture.
 *
 * With BENCH_PROFILE=FOLDER the part `profile` writes its profiles there, for Chrome's DevTools.
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    features: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    scale: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds ?? (options.short ? 2 : 5))
const profiles = process.env.BENCH_PROFILE
const unknown = positionals.find((name) => !partNames.some((part) => part === name))
if (unknown !== undefined) throw new Error(`${unknown} is none of the parts: ${partNames.join(', ')}`)
const chosen = partNames.filter((name) => positionals.includes(name))

const measurers: { readonly [Name in keyof Parts]: () => Promise<Parts[Name]> } = {
  steps: () =>
    measureSteps({
      rounds,
      scale: Number(options.scale ?? (options.short ? 0.1 : 1)),
      features: options.features,
      peers: options.peers,
      ...(options.only !== undefined && { only: options.only.split(',') }),
    }),
  profile: () => measureProfile(profiles === undefined ? {} : { folder: profiles }),
  scale: () => measureScale({ rounds }),
  memory: measureMemory,
  start: () => measureStart({ rounds }),
  balance: () => measureBalance({ rounds }),
}

async function measurePart<Name extends keyof Parts>(
  name: Name,
  measurer: (typeof measurers)[Name],
): Promise<void> {
  const measured = withOrigin(await measurer())
  console.log(`${sections[name](measured)}\n`)
  if (options.write) await writeResults(name, measured)
}

for (const name of chosen.length === 0 ? (['steps'] as const) : chosen)
  await measurePart(name, measurers[name])
if (options.write) await document(await readResults())
