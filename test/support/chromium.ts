import { execFileSync } from 'node:child_process'

/** The browser's program on the PATH; undefined if none is installed. */
export const chromium: string | undefined = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

/** For `t.test(name, { skip: withoutChromium }, …)`: false if there is a browser to test with, otherwise the reason. */
export const withoutChromium: string | false = chromium === undefined && 'chromium is not installed'
