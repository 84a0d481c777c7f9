import type { FastifyReply, FastifyRequest } from 'fastify'
import { escapeHtml, pageLook, sendHtmlPage } from '../problems/html-page.ts'
import { languageOf } from '../problems/reply.ts'
import type { Language } from '../problems/texts.ts'
import { drawMark } from '../providers/mark.ts'
import type { RegisteredProvider } from '../providers/registry.ts'
import type { Site } from '../sites/site.ts'
import { providerParameters } from './authorize.ts'
import type { RequestParameters } from './parameters.ts'

const words = {
  en: {
    title: (site: string) => `Log in to ${site}`,
    choose: 'How would you like to log in?',
    away: 'not available now',
    after: 'Afterwards you return to',
  },
  ru: {
    title: (site: string) => `Вход на «${site}»`,
    choose: 'Как вы хотите войти?',
    away: 'сейчас недоступно',
    after: 'После входа вы вернётесь на',
  },
} as const

const look = pageLook({
  style: `
main { max-width: 24rem; margin: 0 auto }
ul { list-style: none; padding: 0; display: grid; gap: .75rem }
li > * { display: flex; align-items: center; gap: .75rem; min-height: 3rem; padding: .5rem 1rem;
  border: 1px solid GrayText; border-radius: .75rem; text-decoration: none; box-sizing: border-box }
li > a { color: CanvasText; background: Canvas }
li > a:hover { border-color: CanvasText }
li > a:focus-visible { outline: 3px solid Highlight; outline-offset: 2px }
li > span { border-style: dashed; font-weight: 400 }
svg { width: 1.75rem; height: 1.75rem; flex: none }
span > svg { filter: grayscale(1) }
small { overflow-wrap: anywhere }
`,
})

/** What a page needs that is made from the query alone: no script, no cookie, no form. */
export interface Choice {
  readonly site: Site
  readonly redirectUrl: string
  readonly parameters: RequestParameters
  readonly providers: readonly RegisteredProvider[]
}

/**
 * Sends the page where the person chooses a provider. Its buttons are links to this very request with a provider added:
 * Chromium would apply `form-action` to the redirects after a form. One whose circuit is open is shown, but leads nowhere.
 */
export function sendChooserPage(request: FastifyRequest, reply: FastifyReply, choice: Choice): FastifyReply {
  const { site, redirectUrl, parameters, providers } = choice
  const language = wishedLanguage(parameters) ?? languageOf(request)
  const { title, choose, away, after } = words[language]
  const query = parameters.toQuery(providerParameters)
  const rows = providers.map(({ adapter, guard }) => {
    const label = `${drawMark(adapter.mark)}${escapeHtml(adapter.title[language])}`
    const link = `?${query}&provider=${encodeURIComponent(adapter.name)}`
    return guard.works
      ? `<li><a href="${escapeHtml(link)}">${label}</a></li>`
      : `<li><span>${label}: ${away}</span></li>`
  })
  return sendHtmlPage(
    reply,
    {
      language,
      title: title(site.name),
      body: `<p>${choose}</p><ul>${rows.join('')}</ul><p><small>${after} <strong>${escapeHtml(placeOf(redirectUrl))}</strong></small></p>`,
    },
    look,
  )
}

/** The first language of `ui_locales` that the service has (OpenID Connect Core §3.1.2.1). */
function wishedLanguage(parameters: RequestParameters): Language | undefined {
  const locales = parameters.get('ui_locales')?.split(' ') ?? []
  const languages = locales.map((locale) => locale.split('-', 1)[0]?.toLowerCase())
  return languages.find((language) => language === 'ru' || language === 'en')
}

/** Where the browser goes afterwards, as a person can recognise it: a host, or the scheme of an application. */
function placeOf(redirectUrl: string): string {
  const { host, protocol } = new URL(redirectUrl)
  return host || protocol.replace(/:$/, '')
}
