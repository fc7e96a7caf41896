/// <reference types="vite/client" />

declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent<object, object, unknown>
  export default component
}

declare module 'danmaku' {
  export interface DanmakuComment {
    text?: string
    mode?: 'ltr' | 'rtl' | 'top' | 'bottom'
    style?: Partial<CSSStyleDeclaration>
    render?: () => HTMLElement
  }
  export interface DanmakuOptions {
    container: HTMLElement
    media?: HTMLMediaElement
    comments?: DanmakuComment[]
    engine?: 'dom' | 'canvas'
    speed?: number
  }
  export default class Danmaku {
    constructor(options: DanmakuOptions)
    speed: number
    emit(comment: DanmakuComment): Danmaku
    show(): Danmaku
    hide(): Danmaku
    clear(): Danmaku
    resize(): Danmaku
    destroy(): Danmaku
  }
}
