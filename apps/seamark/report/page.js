// SPDX-License-Identifier: BSD-3-Clause
// The charts of the page. Everything that they show is in the tables as well; without the charts' script nothing is to be done here.
(function () {
	"use strict";
	const library = globalThis.seamarkCharts;
	const data = JSON.parse(document.getElementById("data").textContent);
	const report = globalThis.seamarkReport = { data: data, charts: {} };
	const state = { checkpoint: data.images.length - 1, measure: data.images.some(one => one.channels.some(row => row[3] > 0)) ? "bytes" : "sent", spread: "state_bytes", sorted: false };
	const at = id => document.getElementById(id);

	// --- words --------------------------------------------------------------------------------------------------------

	function bytes(value) {
		const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
		let unit = 0;
		for (; value >= 1024 && unit + 1 < units.length; unit++)
			value /= 1024;
		return (unit ? value.toFixed(1) : Math.round(value)) + " " + units[unit];
	}

	function time(seconds) {
		if (seconds <= 0) return "0 s";
		if (seconds < 1e-3) return (seconds * 1e6).toFixed(0) + " \u00b5s";
		if (seconds < 1) return (seconds * 1e3).toFixed(1) + " ms";
		if (seconds < 120) return seconds.toFixed(1) + " s";
		if (seconds < 7200) return (seconds / 60).toFixed(1) + " min";
		return (seconds / 3600).toFixed(1) + " h";
	}

	const count = value => value.toLocaleString("en");
	const utc = ms => new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
	const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

	// --- light and dark -------------------------------------------------------------------------------------------------

	// The diagrams bring their own colours, for what the browser prefers.
	const dark = matchMedia("(prefers-color-scheme: dark)");
	const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
	at("theme").hidden = false;
	at("theme").addEventListener("click", () => {
		document.documentElement.dataset.theme = isDark() ? "light" : "dark";
		colourDiagrams();
		draw();
	});
	dark.addEventListener("change", () => draw());

	function colourDiagrams() {
		document.querySelectorAll(".diagram style").forEach(style => {
			style.seamarkText = style.seamarkText || style.textContent;
			style.textContent = style.seamarkText.replace("(prefers-color-scheme:dark)", isDark() ? "all" : "not all");
		});
	}

	// --- the diagrams -----------------------------------------------------------------------------------------------------

	function button(text, act) {
		const made = document.createElement("button");
		made.type = "button";
		made.textContent = text;
		made.addEventListener("click", act);
		return made;
	}

	// A wheel with Ctrl, + and - zoom, dragging and the arrows move, 0 and a double click show all; and there are buttons.
	document.querySelectorAll(".diagram svg").forEach(svg => {
		const whole = svg.viewBox.baseVal, all = [whole.x, whole.y, whole.width, whole.height];
		let view = all.slice(), from = null;
		const show = () => svg.setAttribute("viewBox", view.join(" "));
		const scale = () => Math.min(svg.clientWidth / view[2], svg.clientHeight / view[3]);
		const reset = () => { view = all.slice(); show(); };
		const zoomBy = (by, across, down) => {
			const width = Math.min(all[2], Math.max(all[2] / 200, view[2] * by)), height = width * all[3] / all[2];
			view = [view[0] + (view[2] - width) * across, view[1] + (view[3] - height) * down, width, height];
			show();
		};
		const moveBy = (across, down) => { view[0] += across * view[2]; view[1] += down * view[3]; show(); };
		const keys = { "+": () => zoomBy(0.7, 0.5, 0.5), "=": () => zoomBy(0.7, 0.5, 0.5), "-": () => zoomBy(1 / 0.7, 0.5, 0.5), "0": reset,
			ArrowLeft: () => moveBy(-0.15, 0), ArrowRight: () => moveBy(0.15, 0), ArrowUp: () => moveBy(0, -0.15), ArrowDown: () => moveBy(0, 0.15) };
		const bar = document.createElement("p"), words = document.createElement("span");
		bar.className = "controls";
		words.textContent = "A wheel with Ctrl held zooms, dragging moves, a double click shows all; on the keyboard + - 0 and the arrows.";
		bar.append(button("nearer", keys["+"]), button("farther", keys["-"]), button("all of it", reset), words);
		svg.parentElement.before(bar);
		svg.tabIndex = 0;
		svg.addEventListener("keydown", event => {
			if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey)
				return;
			event.preventDefault();
			keys[event.key]();
		});
		svg.addEventListener("wheel", event => {
			if (!event.ctrlKey)
				return;
			event.preventDefault();
			const frame = svg.getBoundingClientRect();
			zoomBy(Math.exp(event.deltaY / 400), (event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height);
		}, { passive: false });
		svg.addEventListener("pointerdown", event => { from = [event.clientX, event.clientY, view[0], view[1]]; svg.setPointerCapture(event.pointerId); });
		svg.addEventListener("pointermove", event => {
			if (!from)
				return;
			view[0] = from[2] - (event.clientX - from[0]) / scale();
			view[1] = from[3] - (event.clientY - from[1]) / scale();
			show();
		});
		["pointerup", "pointercancel"].forEach(kind => svg.addEventListener(kind, () => { from = null; }));
		svg.addEventListener("dblclick", reset);
	});

	if (!library) {
		report.ready = true;
		return;
	}
	document.documentElement.classList.add("charts");

	// Told apart without colour vision as well (after Okabe and Ito).
	const palette = () => isDark() ? { blue: "#56b4e9", orange: "#e69f00", green: "#3cc79b", red: "#ff7f6e", violet: "#cc9ae0", grey: "#7c8896" } :
		{ blue: "#0072b2", orange: "#d98e00", green: "#009e73", red: "#c8452d", violet: "#8a5aa8", grey: "#9aa5b1" };

	function axis(name, more) {
		return Object.assign({ name: name, nameTextStyle: { color: colour("soft") }, axisLabel: { color: colour("soft"), hideOverlap: true },
			axisLine: { lineStyle: { color: colour("line") } }, splitLine: { lineStyle: { color: colour("line") } } }, more);
	}

	// With marks at powers of two.
	function byteAxis(name, most) {
		const step = Math.max(1, Math.pow(2, Math.ceil(Math.log2((most || 1) / 6))));
		return axis(name, { type: "value", min: 0, max: Math.ceil((most || 1) / step) * step, interval: step, axisLabel: { color: colour("soft"), formatter: bytes } });
	}

	const largest = list => list.reduce((most, one) => Math.max(most, one || 0), 0);

	function basis(more) {
		return Object.assign({ animation: false, useUTC: true, textStyle: { fontFamily: "inherit", color: colour("text") }, color: Object.values(palette()),
			legend: { top: 0, textStyle: { color: colour("text") }, itemHeight: 9 }, grid: { left: 70, right: 30, top: 46, bottom: 62 },
			tooltip: { trigger: "item", confine: true, backgroundColor: colour("panel"), borderColor: colour("line"), textStyle: { color: colour("text") } } }, more);
	}

	// A wheel alone, and a finger, scroll the page: whoever reads on is not to be held by a chart. The library would stop every wheel, so it sees only those with Ctrl held.
	const touched = matchMedia("(pointer: coarse)").matches;
	const inside = more => ({ type: "inside", filterMode: "none", disabled: touched, ...more });
	const scrolled = event => { if (!event.ctrlKey) event.stopPropagation(); };
	const slider = more => ({ type: "slider", filterMode: "none", borderColor: colour("line"), textStyle: { color: colour("soft") }, ...more });
	const zoom = more => [inside(more), slider({ height: 16, bottom: 8, ...more })];

	// Many points are a line without them.
	const few = list => list.length <= 150;

	// null: there is nothing to draw.
	function put(name, option, picked) {
		const box = at("chart-" + name);
		if (!box)
			return;
		box.classList.toggle("empty", !option);
		if (!option)
			return;
		if (!report.charts[name]) {
			["wheel", "mousewheel"].forEach(kind => box.addEventListener(kind, scrolled, { capture: true, passive: true }));
			report.charts[name] = library.init(box);
			if (picked)
				report.charts[name].on("click", picked);
		}
		report.charts[name].setOption(option, true);
	}

	// --- lives, steps, checkpoints -----------------------------------------------------------------------------------------

	function timeline() {
		const colours = palette(), kept = new Set(data.checkpoints.filter(entry => !entry.error).map(entry => entry.number));
		const steps = data.lives.some(life => life.commits.some(commit => commit.step !== null));
		const height = one => steps ? one.step : one.number;
		const lines = [], points = [], bands = [], restarts = [];
		data.lives.forEach((life, i) => {
			const next = data.lives[i + 1], started = life.from ? (steps ? life.step : life.from) : 0;
			lines.push([life.began_ns / 1e6, started]);
			life.commits.forEach(commit => {
				lines.push([commit.cut_ns / 1e6, height(commit)]);
				points.push({ value: [commit.cut_ns / 1e6, height(commit)], commit: commit, life: life, symbolSize: kept.has(commit.number) ? 13 : 7,
					itemStyle: { color: kept.has(commit.number) ? colours.green : colours.blue } });
			});
			lines.push([life.last_ns / 1e6, null]);
			if (i)
				restarts.push({ xAxis: life.began_ns / 1e6, life: life });
			if (next && life.lost_s !== null && life.lost_s > 0)
				bands.push([{ xAxis: (next.began_ns - life.lost_s * 1e9) / 1e6, itemStyle: { color: life.end === "failed" ? colours.red : colours.grey } }, { xAxis: next.began_ns / 1e6 }]);
		});
		if (!data.lives.length)
			return null;
		return basis({
			xAxis: axis("", { type: "time", splitLine: { show: false } }),
			yAxis: axis(steps ? "step" : "checkpoint", { type: "value", scale: true }),
			dataZoom: zoom({ xAxisIndex: 0 }),
			legend: { top: 0, textStyle: { color: colour("text") }, data: ["computing", "checkpoint", "restart", "lost"] },
			tooltip: Object.assign(basis().tooltip, { formatter: shown => shown.data && shown.data.commit ? "<b>checkpoint " + shown.data.commit.number + "</b>" +
				(shown.data.commit.step !== null ? " at step " + count(shown.data.commit.step) : "") + "<br>life " + shown.data.life.life + ", " + utc(shown.data.commit.cut_ns / 1e6) +
				"<br>held " + time(shown.data.commit.held_s) + ", durable after " + time(shown.data.commit.durable_s) + "<br>" + bytes(shown.data.commit.bytes) +
				(kept.has(shown.data.commit.number) ? ", still there" : ", retired") :
				shown.data && shown.data.life ? "<b>life " + shown.data.life.life + "</b> began " + utc(shown.data.life.began_ns / 1e6) +
				(shown.data.life.from ? "<br>from checkpoint " + shown.data.life.from : "<br>afresh") : "" }),
			series: [
				{ name: "computing", type: "line", data: lines, symbol: "none", lineStyle: { color: colours.blue, width: 2 }, itemStyle: { color: colours.blue } },
				{ name: "checkpoint", type: "scatter", data: points, itemStyle: { color: colours.green }, z: 4 },
				{ name: "restart", type: "line", data: [], itemStyle: { color: colours.violet }, lineStyle: { color: colours.violet },
					markLine: { symbol: "none", label: { show: false }, lineStyle: { color: colours.violet, type: "dashed" }, data: restarts } },
				{ name: "lost", type: "line", data: [], itemStyle: { color: colours.red }, lineStyle: { color: colours.red },
					markArea: { silent: true, itemStyle: { opacity: 0.22 }, data: bands } },
			],
		});
	}

	// --- checkpoint by checkpoint --------------------------------------------------------------------------------------------

	// What the history tells, and what is there: the same checkpoint once.
	function checkpoints() {
		const all = new Map();
		data.lives.forEach(life => life.commits.forEach(commit => all.set(commit.number, Object.assign({}, commit))));
		data.checkpoints.filter(entry => !entry.error).forEach(entry => all.set(entry.number, Object.assign(all.get(entry.number) || {}, entry)));
		return [...all.values()].sort((a, b) => a.number - b.number);
	}

	// newest: so many are shown at first, and the slider has the others.
	function perCheckpoint(list, newest, more) {
		return basis(Object.assign({
			xAxis: axis("checkpoint", { type: "category", data: list.map(one => String(one.number)), nameLocation: "middle", nameGap: 24 }),
			dataZoom: zoom({ xAxisIndex: 0, ...(list.length > newest ? { startValue: list.length - newest, endValue: list.length - 1 } : {}) }),
		}, more));
	}

	function times() {
		const list = checkpoints(), colours = palette(), above = value => value > 0 ? value : null;
		if (!list.length)
			return null;
		return perCheckpoint(list, 2000, {
			yAxis: axis("", { type: "log", axisLabel: { color: colour("soft"), formatter: time } }),
			tooltip: Object.assign(basis().tooltip, { trigger: "axis", valueFormatter: value => value == null ? "-" : time(value) }),
			series: [
				{ name: "held, the longest of a rank", type: "line", data: list.map(one => above(one.held_s)), symbolSize: 6, showSymbol: few(list), itemStyle: { color: colours.orange }, lineStyle: { width: 1.5 } },
				{ name: "until durable", type: "line", data: list.map(one => above(one.durable_s)), symbolSize: 6, showSymbol: few(list), itemStyle: { color: colours.blue }, lineStyle: { width: 1.5 } },
			],
		});
	}

	function flight() {
		const list = checkpoints().filter(one => one.messages != null), colours = palette();
		if (!list.length)
			return null;
		return perCheckpoint(list, 100, {
			yAxis: [byteAxis("in flight", largest(list.map(one => one.message_bytes))),
				axis("messages", { type: "value", splitLine: { show: false }, minInterval: 1 })],
			tooltip: Object.assign(basis().tooltip, { trigger: "axis" }), grid: { left: 70, right: 60, top: 46, bottom: 62 },
			series: [
				{ name: "bytes in flight", type: "bar", barMaxWidth: 46, data: list.map(one => one.message_bytes), itemStyle: { color: colours.violet }, tooltip: { valueFormatter: bytes } },
				{ name: "messages", type: "line", yAxisIndex: 1, data: list.map(one => one.messages), itemStyle: { color: colours.orange }, symbolSize: 8, showSymbol: few(list), tooltip: { valueFormatter: count } },
			],
		});
	}

	function storage() {
		const list = checkpoints(), colours = palette(), kept = new Set(data.checkpoints.map(entry => entry.number));
		if (!list.length)
			return null;
		return perCheckpoint(list, 100, {
			yAxis: byteAxis("", largest(list.map(one => one.bytes + (one.referred_bytes || 0)))),
			tooltip: Object.assign(basis().tooltip, { trigger: "axis", valueFormatter: value => value == null ? "-" : bytes(value) }),
			series: [
				{ name: "there", type: "bar", stack: "bytes", barMaxWidth: 46, data: list.map(one => kept.has(one.number) ? one.bytes : null), itemStyle: { color: colours.green } },
				{ name: "in files of others", type: "bar", stack: "bytes", barMaxWidth: 46, data: list.map(one => one.referred_bytes || null), itemStyle: { color: colours.orange } },
				{ name: "retired", type: "bar", stack: "bytes", barMaxWidth: 46, data: list.map(one => kept.has(one.number) ? null : one.bytes), itemStyle: { color: colours.grey, opacity: 0.5 } },
			],
		});
	}

	// --- inside a checkpoint ---------------------------------------------------------------------------------------------------

	const measures = { bytes: ["bytes in flight", 3, bytes], messages: ["messages in flight", 2, count], sent: ["messages sent since the base", 4, count] };
	const spreads = { state_bytes: ["state", bytes], in_bytes: ["bytes in flight to it", bytes], in_messages: ["messages in flight to it", count],
		out_bytes: ["bytes in flight from it", bytes], out_messages: ["messages in flight from it", count], sent: ["messages sent since the base", count], streams: ["streams", count] };
	// What traces tell of the ranks of a checkpoint.
	const traced = { held_s: ["held", time], open_s: ["from its cut until its channels were closed", time], durable_s: ["from its cut until its image was durable", time] };
	data.images.forEach(own => data.traces.filter(trace => trace.number === own.number).forEach(trace => trace.ranks.forEach(rank => {
		for (const name in traced) {
			own.ranks[rank.rank][name] = rank[name];
			spreads[name] = traced[name];
		}
	})));
	const images = () => data.images[state.checkpoint];
	const group = (index, each, ranks) => each === 1 ? String(index) : index * each + "\u2013" + (Math.min((index + 1) * each, ranks) - 1);

	function matrix() {
		const own = images(), each = own ? own.matrix.ranks_each : 1, [name, column, words] = measures[state.measure];
		if (!own)
			return null;
		const names = Array.from({ length: Math.ceil(own.ranks_in_all / each) }, (_, i) => group(i, each, own.ranks_in_all));
		const cells = own.matrix.cells.filter(cell => cell[column] > 0).map(cell => [cell[1], cell[0], cell[column]]);
		const most = largest(cells.map(cell => cell[2])), many = names.length > 32;
		at("matrix-words").textContent = (cells.length ? name + ": " + words(most) + " at most in a cell, " + count(cells.length) + " of " + count(names.length * names.length) + " cells have some." :
			name + ": none.") + (each > 1 ? " " + each + " ranks share a row and a column." : "") + (cells.length ? " A click on a cell tells its channels." : "");
		return basis({
			legend: { show: false }, grid: { left: 74, right: many ? 40 : 20, top: 20, bottom: many ? 146 : 104 },
			xAxis: axis("to rank", { type: "category", data: names, nameLocation: "middle", nameGap: 26 }),
			yAxis: axis("from rank", { type: "category", data: names, inverse: true, nameLocation: "middle", nameGap: 52 }),
			dataZoom: [inside({ xAxisIndex: 0 }), inside({ yAxisIndex: 0 }), slider({ show: many, xAxisIndex: 0, height: 14, bottom: 90 }),
				slider({ show: many, yAxisIndex: 0, width: 14, right: 6 })],
			visualMap: { min: 0, max: most || 1, calculable: true, orient: "horizontal", left: "center", bottom: 8, itemHeight: 220, formatter: words, textStyle: { color: colour("soft") },
				inRange: { color: isDark() ? ["#22303f", "#1f6fb2", "#56b4e9", "#f0e442"] : ["#e8f1f8", "#7fb8dd", "#0072b2", "#1b2a63"] } },
			tooltip: Object.assign(basis().tooltip, { formatter: shown => "rank " + names[shown.value[1]] + " \u2192 rank " + names[shown.value[0]] + "<br><b>" + words(shown.value[2]) + "</b> " + name }),
			series: [{ name: name, type: "heatmap", data: cells, progressive: 0, emphasis: { itemStyle: { borderColor: colour("text"), borderWidth: 1 } } }],
		});
	}

	// The channels of the cell that was clicked.
	function pick(event) {
		const own = images(), each = own.matrix.ranks_each, [to, from] = event.value, most = 200;
		const list = own.channels.filter(row => Math.floor(row[0] / each) === from && Math.floor(row[1] / each) === to);
		at("picked").innerHTML = "<b>rank " + group(from, each, own.ranks_in_all) + " \u2192 rank " + group(to, each, own.ranks_in_all) + "</b>" +
			"<table><thead><tr><th>from</th><th>to</th><th>in flight</th><th>bytes</th><th>sent</th></tr></thead><tbody>" +
			list.slice(0, most).map(row => "<tr><td>" + row[0] + "</td><td>" + row[1] + "</td><td>" + count(row[2]) + "</td><td>" + bytes(row[3]) + "</td><td>" + count(row[4]) +
				"</td></tr>").join("") + "</tbody></table>" + (list.length > most ? "and " + (list.length - most) + " more" : "") +
			(own.channels_left_out ? " (of the largest " + count(own.channels.length) + " channels of the checkpoint)" : "");
	}

	function ranks() {
		const own = images(), [name, words] = spreads[state.spread], colours = palette();
		if (!own)
			return null;
		const list = own.ranks.filter(rank => typeof rank[state.spread] === "number").map(rank => [rank.rank, rank[state.spread]]);
		if (!list.length) {
			at("spread-words").textContent = "the trace of this checkpoint is not there";
			return null;
		}
		if (state.sorted)
			list.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
		const values = list.map(one => one[1]).sort((a, b) => a - b), sum = values.reduce((all, one) => all + one, 0);
		const summary = "least " + words(values[0]) + ", median " + words(values[values.length >> 1]) + ", mean " + words(words === time ? sum / values.length : Math.round(sum / values.length)) + ", most " + words(values[values.length - 1]);
		at("spread-words").textContent = name + ": " + summary;
		report.spread = { least: values[0], most: values[values.length - 1], sum: sum, words: summary };
		return basis({
			legend: { show: false },
			xAxis: axis(state.sorted ? "rank, largest first" : "rank", { type: "category", data: list.map(one => String(one[0])), nameLocation: "middle", nameGap: 24 }),
			yAxis: words === bytes ? byteAxis("", values[values.length - 1]) : axis("", { type: "value", minInterval: words === count ? 1 : undefined, axisLabel: { color: colour("soft"), formatter: words } }),
			dataZoom: zoom({ xAxisIndex: 0 }),
			tooltip: Object.assign(basis().tooltip, { trigger: "axis", formatter: shown => "rank " + shown[0].name + ": <b>" + words(shown[0].value) + "</b> " + name }),
			series: [{ name: name, type: "bar", data: list.map(one => one[1]), itemStyle: { color: colours.blue }, large: list.length > 400 }],
		});
	}

	function choice(id, label, options, chosen, take) {
		const box = document.createElement("label"), list = document.createElement("select");
		list.id = id;
		options.forEach(([value, text]) => list.add(new Option(text, value, false, String(value) === String(chosen))));
		list.addEventListener("change", () => { take(list.value); at("picked").textContent = ""; draw(); });
		box.append(label + " ", list);
		return box;
	}

	function controls() {
		const box = at("inside-controls"), sort = button("sort the ranks", () => {
			state.sorted = !state.sorted;
			sort.textContent = state.sorted ? "ranks in order" : "sort the ranks";
			draw();
		});
		if (!box || !data.images.length)
			return;
		sort.id = "sort";
		box.append(choice("checkpoint", "checkpoint", data.images.map((one, i) => [i, one.number]).reverse(), state.checkpoint, value => { state.checkpoint = Number(value); }),
			choice("measure", "between ranks", Object.entries(measures).map(([key, one]) => [key, one[0]]), state.measure, value => { state.measure = value; }),
			choice("spread", "of each rank", Object.entries(spreads).map(([key, one]) => [key, one[0]]), state.spread, value => { state.spread = value; }), sort);
	}

	// --- all ----------------------------------------------------------------------------------------------------------------------

	function draw() {
		put("timeline", timeline());
		put("times", times());
		put("flight", flight());
		put("storage", storage());
		put("matrix", matrix(), pick);
		put("ranks", ranks());
	}

	controls();
	draw();
	addEventListener("resize", () => Object.values(report.charts).forEach(chart => chart.resize()));
	report.ready = true;
})();
