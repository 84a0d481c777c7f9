import type { Config } from '../src/config/config.ts'
import type { DemoCredentials } from './demo-site/credentials.ts'
import type { Sandbox } from './sandbox.ts'

/**
 * What `npm start` prints: where to click, a registered site, and the guide's two requests as lines that work
 * when pasted one after the other (the middle one plays the browser).
 */
export function welcome(
  { publicUrl, managementPort, managementHost: host }: Config,
  sandbox: Sandbox,
  site: DemoCredentials,
): string {
  const api = `${publicUrl}/api/v1/oauth`
  return `
Auth-movies is running. Log in on the demo site:

    ${sandbox.demoUrl}

  Service      ${publicUrl}   (API reference: ${publicUrl}/docs/)
  Sandbox      ${sandbox.url}   (people, and a menu of faults)
  Health       http://${host.includes(':') ? `[${host}]` : host}:${managementPort}/health/ready
  Site         id ${site.id}
               secret ${site.secret}
               redirect URL ${sandbox.demoRedirectUrl}

The two requests of the guide, and the browser between them; paste line by line:

  SITE=${site.id}:${site.secret}; START=$(curl -s -u "$SITE" -d provider=yandex -d client_redirect_url=${sandbox.demoRedirectUrl} ${api}/authorize-url/); echo "$START"

  URL=$(echo "$START" | sed 's/.*"authorize_url":"\\([^"]*\\)".*/\\1/'); CALLBACK=$(curl -s -o /dev/null -w '%{redirect_url}' "$URL&sandbox_person=anna"); RETURN=$(curl -s -o /dev/null -w '%{redirect_url}' "$CALLBACK"); echo "$RETURN"

  curl -s -u "$SITE" -d "\${RETURN#*\\?}" ${api}/authorize/

Ctrl-C stops everything; users and sites are kept in .data/.
`
}
