// The momentum rule, forward and back: floats drift, integers return.  Every figure with this class gets a canvas.
for (const root of document.querySelectorAll(".mininet-rule:not([data-ready])")) {
  root.dataset.ready = "yes";
  root.innerHTML = `
    <p><label style="display: inline-block">γ <input type="range" name="gamma" min="50" max="99" value="85"> <output>0.85</output></label> &nbsp;
    <label style="display: inline-block">layers <input type="range" name="depth" min="10" max="300" step="10" value="120"> <output>120</output></label></p>
    <p><button name="run">forward, then back</button> <span aria-live="polite"></span></p>
    <canvas width="${innerWidth < 600 ? 640 : 1200}" height="520" style="width: 100%" role="img" aria-label="position by layer"></canvas>`;
  const [gamma, depth] = root.querySelectorAll("input");
  const [ofGamma, ofDepth] = root.querySelectorAll("output");
  const canvas = root.querySelector("canvas"), pen = canvas.getContext("2d"), said = root.querySelector("span");
  const push = (x, n) => Math.sin(3 * x + n);  // f_n
  const UNIT = 2 ** -40, f32 = Math.fround;

  // The paths: forward in floats, back in floats, back in integers
  function run(hundredths, layers) {
    const g = f32(hundredths / 100), rest = f32(1 - hundredths / 100), there = [f32(0.5)];
    let x = there[0], v = f32(0);
    for (let n = 0; n < layers; n++) {
      v = f32(f32(g * v) + f32(rest * f32(push(x, n))));
      there.push(x = f32(x + v));
    }
    const floats = [x];
    for (let n = layers - 1; n >= 0; n--) {
      floats.push(x = f32(x - v));
      v = f32(f32(v - f32(rest * f32(push(x, n)))) / g);
    }
    const num = BigInt(hundredths), den = 100n, mod = (a, b) => ((a % b) + b) % b;
    const added = (at, n) => BigInt(Math.round((1 - hundredths / 100) * push(Number(at) * UNIT, n) / UNIT));
    const times = (w, b, p, q) => {  // w p/q, with the remainders in b
      let r = mod(w, q);
      b = b * q + r, w = (w - r) / q;
      r = b % p;
      return [w * p + r, (b - r) / p];
    };
    let X = BigInt(Math.round(0.5 / UNIT)), V = 0n, B = 0n;
    const exact = [];
    for (let n = 0; n < layers; n++) {
      [V, B] = times(V, B, num, den);
      V += added(X, n), X += V;
    }
    const bits = B.toString(2).length;
    exact.push(Number(X) * UNIT);
    for (let n = layers - 1; n >= 0; n--) {
      X -= V, V -= added(X, n);
      [V, B] = times(V, B, den, num);
      exact.push(Number(X) * UNIT);
    }
    return {there, floats: floats.reverse(), exact: exact.reverse(), bits};
  }

  let frame = 0, at = Infinity, paths;
  function draw() {
    const layers = Number(depth.value), ink = getComputedStyle(root).color, [W, H] = [canvas.width, canvas.height];
    const all = paths.there, low = Math.min(...all) - 0.5, high = Math.max(...all) + 0.5;
    const across = n => 60 + n / layers * (W - 90), up = x => H - 50 - (x - low) / (high - low) * (H - 80);
    pen.clearRect(0, 0, W, H);
    pen.strokeStyle = pen.fillStyle = ink, pen.lineWidth = 2, pen.font = "24px sans-serif";
    pen.strokeRect(60, 20, W - 90, H - 70);
    pen.fillText("layer n", W / 2 - 40, H - 12), pen.fillText("xₙ", 14, H / 2);
    const line = (path, from, to, color, width, dash = []) => {
      pen.save(), pen.beginPath(), pen.rect(60, 20, W - 90, H - 70), pen.clip(), pen.beginPath();
      pen.strokeStyle = color, pen.lineWidth = width, pen.setLineDash(dash);
      for (let n = from; n <= to; n++) pen.lineTo(across(n), up(path[n]));
      pen.stroke(), pen.restore();
    };
    line(paths.there, 0, Math.min(at, layers), "#56B4E9", 9);
    if (at > layers) {
      const from = Math.max(0, Math.ceil(2 * layers - at));
      line(paths.exact, from, layers, "#0072B2", 3);
      line(paths.floats, from, layers, "#D55E00", 3, [10, 8]);
    }
    const off = path => Math.abs(path[0] - paths.there[0]).toPrecision(1);
    said.textContent = at < 2 * layers ? "" :
      `back at x₀: floats (orange) are off by ${off(paths.floats)}, integers (blue) by 0, with ${paths.bits} bits kept`;
  }
  function move() {
    at += Number(depth.value) / 60;
    draw();
    frame = at < 2 * Number(depth.value) ? requestAnimationFrame(move) : 0;
  }
  function restart(isMoving) {
    ofGamma.value = (gamma.value / 100).toFixed(2), ofDepth.value = depth.value;
    paths = run(Number(gamma.value), Number(depth.value));
    cancelAnimationFrame(frame);
    at = isMoving ? 0 : Infinity;
    isMoving ? move() : draw();
  }
  root.querySelector("button").onclick = () => restart(true);
  gamma.oninput = depth.oninput = () => restart(false);
  restart(false);
}
