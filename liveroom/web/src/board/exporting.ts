/** Files for taking along: every chart in one picture, every sample in one table. */

const WIDTH = 1600
const COLUMNS = 2
const HEAD = 56

/** Draw the charts into one PNG, labelled. */
export async function joinImages(images: readonly { label: string; url: string }[], background: string, ink: string): Promise<string> {
  const loaded = await Promise.all(
    images.map(async ({ label, url }) => {
      const image = new Image()
      image.src = url
      await image.decode()
      return { label, image }
    }),
  )
  const width = WIDTH / COLUMNS
  const ratio = loaded[0] ? loaded[0].image.height / loaded[0].image.width : 0.5
  const height = Math.round(width * ratio) + HEAD
  const canvas = document.createElement('canvas')
  canvas.width = WIDTH
  canvas.height = height * Math.ceil(loaded.length / COLUMNS)
  const context = canvas.getContext('2d')
  if (!context) return ''
  context.fillStyle = background
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.fillStyle = ink
  context.font = '600 24px system-ui, sans-serif'
  loaded.forEach(({ label, image }, at) => {
    const left = (at % COLUMNS) * width
    const top = Math.floor(at / COLUMNS) * height
    context.fillText(label, left + 20, top + 38)
    context.drawImage(image, left, top + HEAD, width, height - HEAD)
  })
  return canvas.toDataURL('image/png')
}

export function download(name: string, url: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  if (url.startsWith('blob:')) setTimeout(() => URL.revokeObjectURL(url), 1_000)
}
