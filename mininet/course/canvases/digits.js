// A product with num/den of one integer, step by step, with its digits on a stack.
for (const root of document.querySelectorAll(".mininet-digits:not([data-ready])")) {
  root.dataset.ready = "yes";
  root.innerHTML = `
    <p><label style="display: inline-block">v <input type="number" name="v" value="-1000" min="-1000000" max="1000000" style="width: 7em"></label> &nbsp;
    <label style="display: inline-block">times <select><option>2/3</option><option>9/10</option><option>1/2</option><option>99/100</option></select></label>
    &nbsp; <button name="on">a layer on</button> <button name="back">a layer back</button></p>
    <canvas width="${innerWidth < 600 ? 600 : 1200}" height="460" style="width: 100%" role="img" aria-label="v and its buffer, by layer"></canvas>
    <p aria-live="polite"></p>`;
  const [start, fraction] = [root.querySelector("input"), root.querySelector("select")];
  const [on, back] = root.querySelectorAll("button"), said = root.querySelector("p:last-child");
  const canvas = root.querySelector("canvas"), pen = canvas.getContext("2d");
  const mod = (a, b) => ((a % b) + b) % b;
  let states, told;
  const numbers = () => fraction.value.split("/").map(BigInt);

  function forward() {
    const [num, den] = numbers(), [v, b] = states[states.length - 1];
    const pushed = mod(v, den), full = b * den + pushed, popped = full % num;
    const next = [(v - pushed) / den * num + popped, (full - popped) / num];
    told = `v = ${v}: digit ${pushed} goes onto b = ${b}·${den} + ${pushed} = ${full}; digit ${popped} comes off into ` +
      `v = ${(v - pushed) / den}·${num} + ${popped} = ${next[0]}`;
    states.push(next);
  }
  function undo() {
    if (states.length === 1) return;
    const [num, den] = numbers(), [v, b] = states.pop();
    const pushed = mod(v, num), full = b * num + pushed, popped = full % den;
    told = `v = ${v}: digit ${pushed} goes back onto b = ${full}; digit ${popped} comes off: ` +
      `v = ${(v - pushed) / num}·${den} + ${popped} = ${(v - pushed) / num * den + popped}`;
  }
  function draw() {
    const [num, den] = numbers(), ink = getComputedStyle(root).color, [W, H] = [canvas.width, canvas.height];
    const columns = W / 120, width = (W - 40) / columns;
    const shown = states.slice(-columns), first = states.length - shown.length;
    const most = Math.max(16, ...states.map(([, b]) => b.toString(2).length));
    pen.clearRect(0, 0, W, H);
    pen.font = "24px sans-serif", pen.textAlign = "center";
    shown.forEach(([v, b], k) => {
      const x = 20 + k * width, bits = b === 0n ? 0 : b.toString(2).length, tall = bits / most * (H - 170);
      pen.fillStyle = "#009E73", pen.fillRect(x + 4, 34, width - 8, 44);
      pen.fillStyle = "white", pen.fillText(String(v), x + width / 2, 65);
      pen.fillStyle = "#0072B2", pen.fillRect(x + width / 4, H - 70 - tall, width / 2, tall);
      pen.fillStyle = ink, pen.fillText(`b = ${b}`.slice(0, 14), x + width / 2, H - 80 - tall);
      pen.fillText(`layer ${first + k}`, x + width / 2, H - 38);
      pen.fillText(`${bits} bits`, x + width / 2, H - 8);
    });
    const limit = ((states.length - 1) * Math.log2(Number(den) / Number(num))).toFixed(1);
    said.textContent = `${told}${told && "."} On average, at least ${limit} bits must be kept so far.`;
  }
  function begin() {
    states = [[BigInt(Math.round(Number(start.value) || 0)), 0n]], told = "";
    draw();
  }
  on.onclick = () => { forward(), draw(); };
  back.onclick = () => { undo(), draw(); };
  start.oninput = fraction.oninput = begin;
  begin();
  for (let k = 0; k < 9; k++) forward();
  draw();
}
