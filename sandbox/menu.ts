import type { FastifyPluginAsync } from 'fastify'
import type { ProviderDouble } from './double.ts'
import { html, languageOf, sendPage } from './html.ts'
import type { Title } from './rules.ts'
import { play, scenarios } from './scenarios.ts'

const texts = {
  en: {
    title: 'Sandbox of Auth-movies',
    about:
      'Doubles of Yandex, Google and Mail, so that every login can be tried without keys and without the internet. Choose how each shall behave, then log in on the demo site. After five failures in a row the service leaves a provider alone for ten seconds, and then tries it with one login at a time.',
    set: 'Apply',
    done: 'Applied.',
    demo: 'Open the demo site',
  },
  ru: {
    title: 'Песочница Auth-movies',
    about:
      'Двойники Яндекса, Google и Mail: любой вход можно попробовать без ключей и без интернета. Выберите, как каждый должен себя вести, и войдите на демонстрационном сайте. После пяти сбоев подряд сервис на десять секунд оставляет провайдера в покое, а затем пробует его по одному входу.',
    set: 'Применить',
    done: 'Применено.',
    demo: 'Открыть демонстрационный сайт',
  },
} as const

/** A double with the name that a person knows it by. */
export interface MenuEntry {
  readonly double: ProviderDouble
  readonly title: Title
}

/** The first page of the sandbox: a scenario to choose for each provider. */
export function menu(entries: () => readonly MenuEntry[]): FastifyPluginAsync {
  const chosen = new Map<string, string>()
  return async (app) => {
    app.get<{ Querystring: { done?: string } }>('/', async (request, reply) => {
      const lang = languageOf(request)
      const t = texts[lang]
      const selects = entries().map(
        ({ double: { name }, title }) =>
          html`<label>${title[lang]}<select name="${name}">${scenarios.map(
            (scenario) =>
              html`<option value="${scenario.name}"${chosen.get(name) === scenario.name ? html` selected` : undefined}>${scenario.title[lang]}</option>`,
          )}</select></label>`,
      )
      return sendPage(reply, {
        lang,
        title: t.title,
        body: html`<h1>${t.title}</h1><p>${t.about}</p>
<form method="post" action="/" class="stack card">${selects}<div class="row"><button class="main">${t.set}</button>
<span role="status">${request.query.done === undefined ? '' : t.done}</span></div></form>
<p><a class="button" href="/demo/">${t.demo}</a></p>`,
      })
    })

    app.post('/', async (request, reply) => {
      const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '')
      for (const { double } of entries()) {
        const scenario = scenarios.find(({ name }) => name === form.get(double.name))
        if (scenario === undefined) continue
        play(double, scenario)
        chosen.set(double.name, scenario.name)
      }
      return reply.redirect('/?done=1', 303)
    })
  }
}
