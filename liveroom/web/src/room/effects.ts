/**
 * Full-screen gift effects as pure functions of progress (0 to 1): nothing is kept between
 * frames, so a dropped frame or a hidden tab never leaves a trace.
 */

export const EFFECT_MS = 3_200

type Draw = (context: CanvasRenderingContext2D, width: number, height: number, progress: number) => void

/** A repeatable scatter: the k-th number in [0, 1). */
function scatter(k: number): number {
  const value = Math.sin(k * 127.1 + 311.7) * 43_758.5453
  return value - Math.floor(value)
}

const ease = (x: number): number => (x < 0.5 ? 4 * x ** 3 : 1 - (-2 * x + 2) ** 3 / 2)

function glow(context: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string, alpha: number): void {
  context.globalAlpha = alpha
  context.fillStyle = colour
  context.beginPath()
  context.arc(x, y, radius, 0, Math.PI * 2)
  context.fill()
  context.globalAlpha = 1
}

function burst(context: CanvasRenderingContext2D, x: number, y: number, reach: number, age: number, hue: number): void {
  if (age <= 0 || age >= 1) return
  for (let k = 0; k < 48; k += 1) {
    const angle = (k / 48) * Math.PI * 2
    const speed = reach * (0.45 + 0.55 * scatter(k + hue)) * (1 - (1 - age) ** 3)
    const fall = age * age * reach * 0.35
    glow(context, x + Math.cos(angle) * speed, y + Math.sin(angle) * speed + fall, 3.2 * (1 - age) + 0.6, `hsl(${(hue + k * 2) % 360} 100% 68%)`, 1 - age)
  }
}

const fireworks: Draw = (context, width, height, progress) => {
  for (let k = 0; k < 9; k += 1) {
    const begins = k * 0.085
    const x = width * (0.18 + 0.64 * scatter(k + 3))
    const y = height * (0.16 + 0.34 * scatter(k + 17))
    const age = (progress - begins) / 0.34
    if (age > -0.25 && age <= 0) glow(context, x, y + (height - y) * (-age / 0.25), 2.5, '#fff3c4', 0.9)
    burst(context, x, y, Math.min(width, height) * 0.34, age, k * 67)
  }
}

const rocket: Draw = (context, width, height, progress) => {
  const flight = ease(Math.min(1, progress / 0.72))
  const x = width * (0.12 + 0.6 * flight)
  const y = height * (1.08 - 0.86 * flight)
  const angle = Math.atan2(-0.86 * height, 0.6 * width)
  const scale = Math.min(width, 520) / 390
  if (progress < 0.72) {
    for (let k = 0; k < 70; k += 1) {
      const back = k / 70
      const spread = (scatter(k + Math.floor(progress * 60)) - 0.5) * 46 * back * scale
      const px = x - Math.cos(angle) * (46 + back * 330) * scale + Math.sin(angle) * spread
      const py = y - Math.sin(angle) * (46 + back * 330) * scale - Math.cos(angle) * spread
      glow(context, px, py, (16 - 11 * back) * scale, `hsl(${46 - back * 40} 100% ${70 - back * 24}%)`, (1 - back) * 0.55)
    }
    context.save()
    context.translate(x, y)
    context.rotate(angle + Math.PI / 2)
    context.scale(scale * 1.5, scale * 1.5)
    hull(context)
    context.restore()
  }
  burst(context, width * 0.72, height * 0.24, Math.min(width, height) * 0.5, (progress - 0.7) / 0.3, 340)
  burst(context, width * 0.4, height * 0.34, Math.min(width, height) * 0.34, (progress - 0.76) / 0.24, 40)
}

function hull(context: CanvasRenderingContext2D): void {
  context.fillStyle = '#b8123c'
  context.fill(new Path2D('M-16 22-30 44-12 38ZM16 22 30 44 12 38Z'))
  context.fillStyle = '#f3f5fa'
  context.fill(new Path2D('M0-56C20-36 22 6 14 38H-14C-22 6-20-36 0-56Z'))
  context.fillStyle = '#ff2d55'
  context.fill(new Path2D('M0-56C9-47 14-34 16-20H-16C-14-34-9-47 0-56Z'))
  context.fillStyle = '#3f8cff'
  context.beginPath()
  context.arc(0, -4, 9, 0, Math.PI * 2)
  context.fill()
}

const carnival: Draw = (context, width, height, progress) => {
  const fade = Math.min(1, (1 - progress) * 4)
  for (let k = 0; k < 120; k += 1) {
    const fall = (progress * (0.8 + scatter(k) * 0.9) + scatter(k + 90)) % 1.1
    const x = width * scatter(k + 40) + Math.sin(progress * 9 + k) * 18
    context.save()
    context.translate(x, fall * height)
    context.rotate(progress * 8 + k)
    context.globalAlpha = fade
    context.fillStyle = `hsl(${(k * 47) % 360} 92% 64%)`
    context.fillRect(-4, -7, 8, 14)
    context.restore()
  }
  fireworks(context, width, height, progress)
}

const DRAWINGS: Readonly<Record<string, Draw>> = { rocket, fireworks, carnival }

/** Draw one frame; unknown gifts get fireworks. */
export function drawEffect(context: CanvasRenderingContext2D, gift: string, progress: number): void {
  const draw = DRAWINGS[gift] ?? fireworks
  draw(context, context.canvas.width, context.canvas.height, progress)
}
