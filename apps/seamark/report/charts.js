// SPDX-License-Identifier: BSD-3-Clause
// What the page needs of Apache ECharts, as one script.
import * as core from "echarts/core";
import { BarChart, HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import { DataZoomInsideComponent, DataZoomSliderComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent,
	VisualMapComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";

core.use([BarChart, HeatmapChart, LineChart, ScatterChart, DataZoomInsideComponent, DataZoomSliderComponent, GridComponent, LegendComponent,
	MarkAreaComponent, MarkLineComponent, TooltipComponent, VisualMapComponent, CanvasRenderer]);
globalThis.seamarkCharts = core;
