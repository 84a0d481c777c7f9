import type { Language } from '../../docs/.vitepress/navigation.ts'
import { graph } from './graph.ts'

const words = {
  en: {
    title: 'How refresh tokens replace one another',
    text: 'A session has one current refresh token. A refresh replaces it by the next one. For ten seconds the replaced one gets a pair of the same generation again, for an answer that was lost. Presented later, it is taken for stolen: the session ends. A logout, the operator or age end it as well.',
    current: 'current token\n(generation n)',
    replaced: 'replaced token\n(generation n)',
    next: 'next token\n(generation n + 1)',
    ended: 'session ended:\na new login',
    refresh: 'refresh',
    grace: 'again, within\n10 seconds',
    reused: 'again, later',
    logout: 'logout, operator,\nage',
    becomes: 'is then the',
  },
  ru: {
    title: 'Как токены обновления сменяют друг друга',
    text: 'У сессии один действующий токен обновления. Обновление заменяет его следующим. Десять секунд по заменённому токену ещё раз выдаётся пара того же поколения — на случай, если ответ потерялся. Предъявленный позже, он считается украденным: сессия заканчивается. Её заканчивают также выход, оператор и срок.',
    current: 'действующий токен\n(поколение n)',
    replaced: 'заменённый токен\n(поколение n)',
    next: 'следующий токен\n(поколение n + 1)',
    ended: 'сессия закончена:\nновый вход',
    refresh: 'обновление',
    grace: 'снова, в течение\n10 секунд',
    reused: 'снова, позже',
    logout: 'выход, оператор,\nсрок',
    becomes: 'становится',
  },
} as const

/** What a refresh token may become. */
export function refreshStates(language: Language): string {
  const { title, text, ...said } = words[language]
  return graph(
    { width: 860, height: 340 },
    { title, text },
    {
      current: { x: 110, y: 60, text: said.current, kind: 'strong' },
      next: { x: 750, y: 60, text: said.next, kind: 'strong' },
      replaced: { x: 430, y: 165, text: said.replaced },
      ended: { x: 430, y: 290, text: said.ended, kind: 'end' },
    },
    [
      { from: 'current', to: 'next', text: said.refresh },
      { from: 'current', to: 'replaced', text: said.becomes },
      { from: 'replaced', to: 'next', text: said.grace },
      { from: 'replaced', to: 'ended', text: said.reused },
      { from: 'current', to: 'ended', text: said.logout },
      { from: 'next', to: 'ended', text: said.logout },
    ],
  )
}
