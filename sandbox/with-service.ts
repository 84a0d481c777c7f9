import type { Config } from '../src/config/config.ts'
import type { Environment } from '../src/config/variables.ts'
import type { Service } from '../src/service.ts'
import { StartError, startService } from '../src/service.ts'
import type { Database } from '../src/storage/postgres.ts'
import type { DemoCredentials } from './demo-site/credentials.ts'
import type { Sandbox } from './sandbox.ts'
import { isTaken, startSandbox } from './sandbox.ts'

/** How the sandbox and its service are started. */
export interface TogetherOptions {
  readonly env: Environment
  /** The configuration that `env` gives. */
  readonly config: Config
  /** The folder of the embedded database; `.data` where absent. */
  readonly directory?: string
  /** Whether the sandbox may take the next free port. */
  readonly nextPort: boolean
  /** Registers the demo site. */
  readonly register: (database: Database, sandbox: Sandbox) => Promise<DemoCredentials>
}

/** A service whose providers are the doubles of the sandbox beside it. */
export interface Together {
  /** Closing it closes the sandbox, too. */
  readonly service: Service
  readonly sandbox: Sandbox
  readonly site: DemoCredentials
}

/**
 * Starts the sandbox, then the service with its doubles as providers, and opens the demo site.
 * @throws {StartError} a port is taken, or as startService() does; what was opened before is closed again
 */
export async function startTogether(options: TogetherOptions): Promise<Together> {
  const { env, config, directory, nextPort, register } = options
  const sandbox = await open(config, nextPort)
  let started: Service | undefined
  try {
    const service = await startService(
      { ...env, ...sandbox.env },
      { logins: sandbox.logins, ...(directory !== undefined && { directory }) },
    )
    started = service
    const site = await register(service.database, sandbox)
    sandbox.connect(service)
    sandbox.openDemo({
      serviceUrl: config.publicUrl,
      siteId: site.id,
      siteSecret: site.secret,
      redirectUrl: sandbox.demoRedirectUrl,
    })
    const close = async () => {
      // A login that is still running needs its provider, so the service closes first.
      try {
        await service.close()
      } finally {
        await sandbox.close()
      }
    }
    return { service: { ...service, close }, sandbox, site }
  } catch (error) {
    await Promise.all([started?.close(), sandbox.close()])
    throw error
  }
}

async function open({ host, sandboxPort: port, publicUrl }: Config, nextPort: boolean): Promise<Sandbox> {
  try {
    return await startSandbox({ host, port, publicUrl, nextPort })
  } catch (error) {
    throw new StartError(
      isTaken(error)
        ? `Port ${port} is taken: choose another one by SANDBOX_PORT.`
        : `The sandbox cannot listen on ${host}:${port}: check HOST and SANDBOX_PORT.`,
      { cause: error },
    )
  }
}
