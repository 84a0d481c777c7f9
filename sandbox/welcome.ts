import { guideVariables } from '../src/command-line/guide-requests.ts'
import type { Config } from '../src/config.ts'
import type { DemoCredentials } from './demo-credentials.ts'
import type { Sandbox } from './sandbox.ts'

/**
 * What `npm start` prints: where to click, a registered site, and the guide's variables and two requests as lines
 * that work when pasted one after the other (the third plays the browser).
 */
export function welcome(
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
