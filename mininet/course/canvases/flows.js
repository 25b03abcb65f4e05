// What momentum may do and a ResNet of small steps may not: paths that cross, and a ring that passes its own middle.
for (const root of document.querySelectorAll(".mininet-flows:not([data-ready])")) {
  root.dataset.ready = "yes";
  root.innerHTML = `
    <p><label style="display: inline-block">γ <input type="range" name="gamma" min="0" max="98" value="90"> <output>0.90</output></label> &nbsp;
    <label style="display: inline-block">layer <input type="range" name="layer" min="0" max="80" value="24"> <output>24</output></label>
    <button>run</button></p>
    <canvas width="${innerWidth < 600 ? 720 : 1200}" height="520" style="width: 100%" role="img" aria-label="paths on a line, and a ring"></canvas>`;
  const [gamma, layer] = root.querySelectorAll("input"), [ofGamma, ofLayer] = root.querySelectorAll("output");
  const canvas = root.querySelector("canvas"), pen = canvas.getContext("2d");
  const LAYERS = 80, INNER = "#0072B2", OUTER = "#D55E00";
  const starts = Array.from({length: 14}, (_, k) => -1.75 + 3.5 * k / 13);
  const ring = [];
  for (let k = 0; k < 48; k++) {
    const angle = k * 2 * Math.PI / 48;
    ring.push([Math.cos(angle), Math.sin(angle), OUTER], [0.4 * Math.cos(angle), 0.4 * Math.sin(angle), INNER]);
  }
  function path(start, f, g) {  // of a vector, from rest
    const passed = [start];
    let x = start, v = start.map(() => 0);
    for (let n = 0; n < LAYERS; n++) {
      const push = f(x);
      v = v.map((each, k) => g * each + (1 - g) * push[k]);
      x = x.map((each, k) => each + v[k]);
      passed.push(x);
    }
    return passed;
  }
  function draw() {
    const g = gamma.value / 100, now = Number(layer.value), ink = getComputedStyle(root).color;
    const [W, H] = [canvas.width, canvas.height], half = W / 2, size = Math.min(190, half / 2 - 10);
    ofGamma.value = g.toFixed(2), ofLayer.value = now;
    pen.clearRect(0, 0, W, H);
    pen.lineWidth = 3, pen.fillStyle = ink, pen.font = "24px sans-serif";
    pen.fillText("on a line: do paths cross?", 40, 28);
    pen.fillText("in the plane: who is inside?", half + 40, 28);
    for (const start of starts) {
      const passed = path([start], ([x]) => [(x - x ** 3) / 4], g);
      pen.strokeStyle = start < 0 ? INNER : OUTER, pen.beginPath();
      for (let n = 0; n <= now; n++) pen.lineTo(40 + n / LAYERS * (half - 80), H / 2 + 20 - passed[n][0] * 120);
      pen.stroke();
    }
    for (const [x, y, color] of ring) {
      const pull = ([a, b]) => { const r2 = a * a + b * b; return [-a * (0.02 + r2) / 6, -b * (0.02 + r2) / 6]; };
      const [a, b] = path([x, y], pull, g)[now];
      pen.fillStyle = color, pen.beginPath();
      pen.arc(half + half / 2 + a * size, H / 2 + 20 + b * size, 8, 0, 7), pen.fill();
    }
  }
  let frame = 0;
  function move() {
    draw();
    if (Number(layer.value) < LAYERS) {
      layer.value = Number(layer.value) + 1;
      frame = requestAnimationFrame(() => setTimeout(move, 30));
    }
  }
  root.querySelector("button").onclick = () => { cancelAnimationFrame(frame), layer.value = 0, move(); };
  gamma.oninput = layer.oninput = draw;
  draw();
}
