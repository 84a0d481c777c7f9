import { providers } from '../plugins/index.ts'
import { guideVariables } from '../src/command-line/site.ts'
import type { Config } from '../src/config/config.ts'
import { ConfigError, readConfig } from '../src/config/config.ts'
import { dataDirectory } from '../src/config/development.ts'
import type { Environment } from '../src/config/variables.ts'
import { runUntilStopped } from '../src/main.ts'
import type { Service } from '../src/service.ts'
import { StartError, startService } from '../src/service.ts'
import type { DemoCredentials } from './demo-site/credentials.ts'
import { demoCredentials } from './demo-site/credentials.ts'
import type { Sandbox } from './sandbox.ts'
import { blockingVariables, startSandbox } from './sandbox.ts'

// `npm start`: runs the service as main.ts does and, in development without a configured provider, the sandbox and its demo
// site beside it. Strict mode never runs this file: the image has no sandbox/. The short time limit ends running requests
// soon after Ctrl-C.
await runUntilStopped(() => start(process.env), 1_500)

async function start(env: Environment): Promise<Service> {
  const config = readConfig(env, providers, [])
  if (config.mode === 'strict' || config.providers.size > 0) return startService(env)
  const variables = blockingVariables(config)
  if (variables.length > 0) throw noProviderError(env, variables)

  const sandbox = await open(config.host, config.sandboxPort, config.publicUrl)
  let started: Service | undefined
  try {
    // Log lines of requests would hide the text below; LOG_LEVEL=info shows them.
    const service = await startService({ LOG_LEVEL: 'warn', ...env, ...sandbox.env })
    started = service
    const site = await demoCredentials(service.database, dataDirectory, sandbox.demoRedirectUrl)
    sandbox.openDemo({ serviceUrl: config.publicUrl, siteId: site.id, redirectUrl: sandbox.demoRedirectUrl })
    sandbox.showCircuits(service.providers)
    console.log(welcome(config, sandbox, site))
    return {
      ...service,
      async close() {
        // A login that is still running needs its provider, so the service closes first.
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

/** The error that strict mode gives when no provider is configured, with the reason why the sandbox cannot start. */
function noProviderError(env: Environment, variables: readonly string[]): unknown {
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

/**
 * The text that `npm start` prints: the URLs, a registered site, and the guide's variables and two requests as shell lines
 * that can be pasted one after the other (the third line acts as the browser).
 */
function welcome(
  { publicUrl, managementPort, managementHost: host }: Config,
  sandbox: Sandbox,
  site: DemoCredentials,
): string {
  const variables = guideVariables({ publicUrl, redirectUrl: sandbox.demoRedirectUrl, credentials: site })
  return `
Auth-movies is running. Log in on the demo site:

    ${sandbox.demoUrl}

  Service      ${publicUrl}   (API reference: ${publicUrl}/docs/)
  Sandbox      ${sandbox.url}   (people, and a menu of faults)
  Health       http://${host.includes(':') ? `[${host}]` : host}:${managementPort}/health/ready
  Site         id ${site.id}
               secret ${site.secret}
               redirect URL ${sandbox.demoRedirectUrl}

The variables and the two requests of the guide, and the browser between them; paste line by line:

  ${variables}

  START=$(curl -s -u "$SITE_ID:$SITE_SECRET" -d provider=yandex --data-urlencode "client_redirect_url=$REDIRECT_URL" "$AUTH/api/v1/oauth/authorize-url/"); echo "$START"

  URL=$(echo "$START" | sed 's/.*"authorize_url":"\\([^"]*\\)".*/\\1/'); CALLBACK=$(curl -s -o /dev/null -w '%{redirect_url}' "$URL&sandbox_person=anna"); RETURN=$(curl -s -o /dev/null -w '%{redirect_url}' "$CALLBACK"); echo "$RETURN"

  curl -s -u "$SITE_ID:$SITE_SECRET" -d "\${RETURN#*\\?}" "$AUTH/api/v1/oauth/authorize/"

Ctrl-C stops everything; users and sites are kept in .data/.
`
}
