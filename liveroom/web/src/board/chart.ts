/** ECharts, only the parts in use. */

import { LineChart, type LineSeriesOption } from 'echarts/charts'
import { GridComponent, LegendComponent, TooltipComponent, type GridComponentOption, type LegendComponentOption, type TooltipComponentOption } from 'echarts/components'
import { connect, init, use, type ComposeOption, type EChartsType } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { clock, clockSeconds, decimal } from '@/i18n/format'
import type { Theme } from '@/shared/theme'
import type { Metric } from './metrics'
import type { Sample } from './samples'

use([LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer])

export type Option = ComposeOption<LineSeriesOption | GridComponentOption | LegendComponentOption | TooltipComponentOption>
export type Chart = EChartsType
/** Charts of this group share the pointer. */
export const GROUP = 'board'

export function createChart(element: HTMLElement): Chart {
  const chart = init(element)
  chart.group = GROUP
  connect(GROUP)
  return chart
}

/** Below this span the axis tells seconds. */
const SHORT_MS = 4 * 60_000

const INK = {
  dark: { text: '#8d96a8', line: '#2b3040', box: '#1c1f29', strong: '#f4f5f8' },
  light: { text: '#636c7e', line: '#dfe3eb', box: '#ffffff', strong: '#14161d' },
}

/** One line of a chart as it is drawn. */
export interface Drawn {
  readonly name: string
  readonly label: string
  readonly colour: string
}

export function optionOf(metric: Metric, lines: readonly Drawn[], unit: string, samples: readonly Sample[], theme: Theme): Option {
  const ink = INK[theme]
  const several = lines.length > 1
  const short = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0) < SHORT_MS
  return {
    animation: false,
    legend: { show: several, top: 0, right: 10, itemWidth: 14, itemHeight: 8, textStyle: { color: ink.text, fontSize: 11 } },
    grid: { top: several ? 26 : 12, right: 14, bottom: 24, left: 8, containLabel: true },
    tooltip: {
      trigger: 'axis',
      backgroundColor: ink.box,
      borderColor: ink.line,
      textStyle: { color: ink.strong, fontSize: 12 },
      renderMode: 'richText', // names never become HTML
      valueFormatter: (value) => `${decimal(Number(value), metric.digits)} ${unit}`,
    },
    xAxis: {
      type: 'time',
      axisLine: { lineStyle: { color: ink.line } },
      axisTick: { show: false },
      axisLabel: { color: ink.text, hideOverlap: true, formatter: (at: number) => (short ? clockSeconds(at) : clock(at)) },
      splitNumber: 3,
    },
    yAxis: {
      type: 'value',
      scale: metric.total,
      minInterval: metric.digits === 0 ? 1 : 0,
      splitNumber: 3,
      axisLabel: { color: ink.text },
      splitLine: { lineStyle: { color: ink.line, type: 'dashed' } },
    },
    series: lines.map(({ name, label, colour }) => ({
      name: label,
      type: 'line',
      showSymbol: false,
      sampling: 'lttb',
      step: metric.total ? 'end' : false,
      smooth: metric.total ? false : 0.2,
      lineStyle: { width: 2, color: colour },
      itemStyle: { color: colour },
      areaStyle: { color: colour, opacity: several ? 0.05 : 0.12 },
      data: samples.map((sample) => [sample.at, sample.values[name] ?? null]),
    })),
  }
}
