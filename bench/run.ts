import { parseArgs } from 'node:util'
import { serviceFlow } from './flow.ts'
import type { Subject } from './measure.ts'
import { measure } from './measure.ts'
import { startProgram } from './program.ts'
import { startServers } from './servers.ts'
import { tables } from './tables.ts'

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    features: { type: 'boolean', default: false },
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

const servers = await startServers()
const subjects: Subject[] = []
const add = async (name: string, script: string, env: Readonly<Record<string, string>> = {}) => {
  const execArgv =
    profiles !== undefined && name === 'ours' ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : []
  const program = await startProgram({ script, env: { ...(await servers.environment()), ...env }, execArgv })
  subjects.push({ name, program, flow: serviceFlow() })
}
try {
  await add('empty Fastify', 'empty.ts')
  await add('floor', 'floor.ts')
  await add('ours', 'service.ts')
  const switched = options.features ? ['log', 'metrics', 'history', 'limits'] : ['limits']
  for (const feature of switched)
    await add(`ours without ${feature}`, 'service.ts', { BENCH_WITHOUT: feature })
  const results = await measure(subjects, amount, (round) =>
    console.error(round === 0 ? 'warmed up' : `round ${round} of ${amount.rounds}`),
  )
  console.log(tables(results))
} finally {
  for (const { program } of subjects) await program.end()
  await servers.end()
}
