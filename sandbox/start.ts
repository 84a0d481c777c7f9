import { providers } from '../plugins/index.ts'
import { guideVariables } from '../src/command-line/site.ts'
import type { Config } from '../src/config/config.ts'
import { ConfigError, readConfig } from '../src/config/config.ts'
import { dataDirectory, rememberStart } from '../src/config/development.ts'
import type { Environment } from '../src/config/variables.ts'
import { runUntilStopped } from '../src/main.ts'
import type { Service } from '../src/service.ts'
import { startService } from '../src/service.ts'
import type { DemoCredentials } from './demo-site/credentials.ts'
import { demoCredentials } from './demo-site/credentials.ts'
import type { Sandbox } from './sandbox.ts'
import { blockingVariables } from './sandbox.ts'
import { startTogether } from './with-service.ts'

// `npm start`: runs the service as main.ts does and, in development without a configured provider, the sandbox and its demo
// site beside it. Strict mode never runs this file: the image has no sandbox/. The short time limit ends running requests
// soon after Ctrl-C.
await runUntilStopped(() => start(process.env), 1_500)

async function start(env: Environment): Promise<Service> {
  const config = readConfig(env, providers, [])
  if (config.mode === 'strict' || config.providers.size > 0) return startService(env)
  const variables = blockingVariables(config)
  if (variables.length > 0) throw noProviderError(env, variables)

  const { service, sandbox, site } = await startTogether({
    // Log lines of requests would hide the text below; LOG_LEVEL=info shows them.
    env: { LOG_LEVEL: 'warn', ...env },
    config,
    nextPort: true,
    register: (database, { demoRedirectUrl }) =>
      demoCredentials(database, dataDirectory, { redirectUrls: [demoRedirectUrl] }),
  })
  await rememberStart(dataDirectory, {
    PUBLIC_URL: config.publicUrl,
    SANDBOX_PORT: new URL(sandbox.url).port,
  })
  console.log(welcome(config, sandbox, site))
  return service
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
