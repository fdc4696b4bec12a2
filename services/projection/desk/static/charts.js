// Charts drawn from the tables that stand beside them, so that both always say the same.
"use strict";

(() => {
  let kind = "VILLAGE";
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const numbers = new Intl.NumberFormat("zh-CN");
  const text = (cell) => cell.textContent.trim();

  function rows(box) {
    return Array.from(document.querySelectorAll(`#${box.dataset.table} tbody tr`));
  }

  function frame(box, names) {
    return {
      animation: false,
      textStyle: { fontFamily: style("--font"), color: style("--ink") },
      grid: { left: 4, right: 56, top: 4, bottom: 4, containLabel: true },
      xAxis: { type: "value", show: false },
      yAxis: {
        type: "category", inverse: true, data: names, axisTick: { show: false }, axisLine: { lineStyle: { color: style("--line") } },
        axisLabel: { color: style("--ink"), fontSize: 13, width: box.clientWidth > 480 ? 190 : 132, overflow: "break", interval: 0 },
      },
    };
  }

  function categories(box) {
    const of = rows(box);
    const colour = { CITY: style("--slate"), DISTRICT: style("--red") };
    return Object.assign(frame(box, of.map((row) => `${text(row.cells[0])} ${text(row.cells[1])}`)), {
      series: [{
        type: "bar", barMaxWidth: 18, itemStyle: { borderRadius: [0, 3, 3, 0] },
        label: { show: true, position: "right", color: style("--ink"), formatter: (one) => numbers.format(one.value) },
        data: of.map((row) => ({ value: Number(text(row.cells[2]).replaceAll(",", "")), itemStyle: { color: colour[row.dataset.tier] } })),
      }],
    });
  }

  function townships(box) {
    const of = rows(box)
      .map((row) => ({ name: text(row.cells[0]), cell: row.querySelector(`[data-kind="${kind}"]`) }))
      .filter((one) => one.cell && Number(one.cell.dataset.total) > 0);
    const reached = of.map((one) => Number(one.cell.dataset.reached));
    const total = of.map((one) => Number(one.cell.dataset.total));
    return Object.assign(frame(box, of.map((one) => one.name)), {
      series: [
        { type: "bar", stack: "all", barMaxWidth: 18, itemStyle: { color: style("--red") }, data: reached },
        {
          type: "bar", stack: "all", itemStyle: { color: style("--rest") },
          label: { show: true, position: "right", color: style("--ink"), formatter: (one) => `${reached[one.dataIndex]} / ${total[one.dataIndex]}` },
          data: total.map((all, n) => Math.max(0, all - reached[n])),
        },
      ],
    });
  }

  const kinds = { categories, townships };

  function draw() {
    for (const box of document.querySelectorAll("[data-chart]")) {
      let chart = echarts.getInstanceByDom(box);
      if (!chart) {
        chart = echarts.init(box);
        new ResizeObserver(() => chart.resize()).observe(box);
      }
      chart.setOption(kinds[box.dataset.chart](box), true);
    }
    for (const choose of document.querySelectorAll(".choose")) {
      choose.hidden = false;
      for (const button of choose.querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
      }
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".choose button");
    if (button) {
      kind = button.dataset.kind;
      draw();
    }
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "live" || document.getElementById("live")) draw();
  });
  draw();
})();
