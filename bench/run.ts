import { parseArgs } from 'node:util'
import type { Subject } from './measure.ts'
import { measure } from './measure.ts'
import { startServers } from './servers.ts'
import { floors, ours, peers, startSubject, without } from './subjects.ts'
import { tables } from './tables.ts'

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    features: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    scale: { type: 'string' },
  },
})
const amount = {
  rounds: Number(options.rounds ?? (options.short ? 2 : 5)),
  scale: Number(options.scale ?? (options.short ? 0.1 : 1)),
}
/** BENCH_PROFILE=FOLDER: a CPU profile of the service, for Chrome's DevTools. */
const profiles = process.env.BENCH_PROFILE
const switchedOff = options.features ? (['log', 'metrics', 'history', 'limits'] as const) : []
const plans = [...floors, ours, ...switchedOff.map(without), ...(options.peers ? peers : [])].filter(
  ({ name }) => options.only?.split(',').includes(name) ?? true,
)

const servers = await startServers()
const subjects: Subject[] = []
try {
  for (const plan of plans) {
    const profiled = profiles !== undefined && plan === ours
    const execArgv = profiled ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : []
    subjects.push(await startSubject(plan, servers, execArgv))
  }
  const results = await measure(subjects, amount, (round) =>
    console.error(round === 0 ? 'warmed up' : `round ${round} of ${amount.rounds}`),
  )
  console.log(tables(results))
} finally {
  for (const { program } of subjects) await program.end()
  await servers.end()
}
