import { providers } from '../plugins/index.ts'
import { ConfigError, readConfig } from '../src/config/config.ts'
import { dataDirectory } from '../src/config/development.ts'
import type { Environment } from '../src/config/variables.ts'
import { runUntilStopped } from '../src/main.ts'
import type { Service } from '../src/service.ts'
import { StartError, startService } from '../src/service.ts'
import { hindrances } from './allowed.ts'
import { demoCredentials } from './demo-site/credentials.ts'
import type { Sandbox } from './sandbox.ts'
import { startSandbox } from './sandbox.ts'
import { welcome } from './welcome.ts'

// `npm start`: the service as main.ts runs it and, in development without a provider of one's own, the sandbox
// with its demo site beside it. Strict mode never comes here: the image has no sandbox/.
// Whoever presses Ctrl-C waits for nobody's request.
await runUntilStopped(() => start(process.env), 1_500)

async function start(env: Environment): Promise<Service> {
  const config = readConfig(env, providers, [])
  if (config.mode === 'strict' || config.providers.size > 0) return startService(env)
  const variables = hindrances(config)
  if (variables.length > 0) throw refusal(env, variables)

  const sandbox = await open(config.host, config.sandboxPort, config.publicUrl)
  let started: Service | undefined
  try {
    // Requests would drown what a newcomer has to read; LOG_LEVEL=info shows them.
    const service = await startService({ LOG_LEVEL: 'warn', ...env, ...sandbox.env })
    started = service
    const site = await demoCredentials(service.database, dataDirectory, sandbox.demoRedirectUrl)
    sandbox.openDemo({ serviceUrl: config.publicUrl, siteId: site.id, redirectUrl: sandbox.demoRedirectUrl })
    sandbox.showCircuits(service.providers)
    console.log(welcome(config, sandbox, site))
    return {
      ...service,
      async close() {
        // A login that still runs needs its provider.
        try {
          await service.close()
        } finally {
          await sandbox.close()
        }
      },
    }
  } catch (error) {
    await Promise.all([started?.close(), sandbox.close()])
    throw error
  }
}

/** What strict mode says where no provider is configured, and why there is no sandbox in its place. */
function refusal(env: Environment, variables: readonly string[]): unknown {
  const why = `There is no sandbox either, as it logs anybody in as anybody: it starts only on this computer (HOST and PUBLIC_URL are loopback) and on its own data. For the sandbox, leave out ${variables.join(', ')}.`
  try {
    return readConfig(env, providers)
  } catch (error) {
    return error instanceof ConfigError ? new ConfigError([...error.problems, why]) : error
  }
}

async function open(host: string, port: number, publicUrl: string): Promise<Sandbox> {
  try {
    return await startSandbox({ host, port, publicUrl })
  } catch (error) {
    throw new StartError(`The sandbox cannot listen on ${host}:${port}: check HOST and SANDBOX_PORT.`, {
      cause: error,
    })
  }
}
