"use strict";
// Shows one class map: values come as a picture, grey or as low and high bytes, and are coloured
// here, so that classes can be hidden and the class under the pointer can be named. Everything is
// in the page; nothing is loaded.

const map = JSON.parse(document.getElementById("map").textContent);
const canvas = document.querySelector("canvas");
const context = canvas.getContext("2d");
const readout = document.querySelector(".readout");
const bar = document.querySelector(".scale");
const names = new Map(map.classes.map((c) => [c.value, c.name]));
const layer = document.createElement("canvas");
// Left, top and width of a pixel of the map on the screen.
const view = { x: 0, y: 0, zoom: 1, opacity: Number(document.getElementById("opacity").value) / 100 };
let values = null; // class value of each pixel, row after row
let scene = null;
let moved = false; // by the user; until then the map fills the page

function picture(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a picture of the page cannot be shown"));
    image.src = source;
  });
}

function decode(image) {
  layer.width = map.width;
  layer.height = map.height;
  const pixels = layer.getContext("2d", { willReadFrequently: true });
  pixels.drawImage(image, 0, 0);
  const data = pixels.getImageData(0, 0, map.width, map.height).data;
  const found = new Uint16Array(map.width * map.height);
  const high = map.bytes === 2 ? 256 : 0; // what the second channel counts
  for (let i = 0; i < found.length; i++) found[i] = data[4 * i] + high * data[4 * i + 1];
  return found;
}

function paint() {
  const colors = new Uint32Array(256 ** map.bytes); // clear where there is no data or the class is hidden
  const bytes = new Uint8Array(colors.buffer);
  for (const box of document.querySelectorAll("aside input[type=checkbox]")) {
    const item = map.classes[Number(box.dataset.index)];
    if (box.checked) bytes.set([...item.color, 255], 4 * item.value);
  }
  const pixels = layer.getContext("2d", { willReadFrequently: true });
  const image = pixels.createImageData(map.width, map.height);
  const target = new Uint32Array(image.data.buffer);
  for (let i = 0; i < values.length; i++) target[i] = colors[values[i]];
  pixels.putImageData(image, 0, 0);
  draw();
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const zoomY = view.zoom * map.aspect;
  context.setTransform(ratio * view.zoom, 0, 0, ratio * zoomY, ratio * view.x, ratio * view.y);
  context.imageSmoothingEnabled = view.zoom * ratio < 1;
  context.globalAlpha = 1;
  if (scene) context.drawImage(scene, 0, 0, map.width, map.height);
  context.globalAlpha = view.opacity;
  context.drawImage(layer, 0, 0);
  drawScale();
}

function drawScale() {
  if (!map.metres) return;
  const metres = (100 * map.metres) / view.zoom; // about 100 points wide
  const power = 10 ** Math.floor(Math.log10(metres));
  const round = power * [5, 2, 1].find((n) => n * power <= metres);
  bar.querySelector("i").style.width = `${(round / map.metres) * view.zoom}px`;
  bar.querySelector("span").textContent = round >= 1000 ? `${round / 1000} km` : `${round} m`;
}

function fit() {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  view.zoom = 0.95 * Math.min(width / map.width, height / (map.height * map.aspect));
  view.x = (width - map.width * view.zoom) / 2;
  view.y = (height - map.height * map.aspect * view.zoom) / 2;
  moved = false;
  draw();
}

function zoomAt(x, y, factor) {
  const zoom = Math.min(Math.max(view.zoom * factor, 1e-3), 64);
  view.x = x - ((x - view.x) * zoom) / view.zoom;
  view.y = y - ((y - view.y) * zoom) / view.zoom;
  view.zoom = zoom;
  moved = true;
  draw();
}

function zoomBy(factor) {
  zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, factor);
}

function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  moved = true;
  draw();
}

function tell(x, y) {
  const col = (x - view.x) / view.zoom;
  const row = (y - view.y) / (view.zoom * map.aspect);
  if (!(col >= 0 && row >= 0 && col < map.width && row < map.height)) {
    readout.textContent = "";
    return;
  }
  const value = values[Math.floor(row) * map.width + Math.floor(col)];
  const place = [map.left + col * map.stepX, map.top - row * map.stepY];
  const shown = place.map((v) => v.toFixed(map.digits)).join(", ");
  readout.textContent = `${names.get(value) ?? "no data"}\n${shown}`;
}

const pointers = new Map();

function local(event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, local(event));
});
canvas.addEventListener("pointermove", (event) => {
  const now = local(event), before = pointers.get(event.pointerId);
  tell(now.x, now.y);
  if (!before) return;
  pointers.set(event.pointerId, now);
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  if (!other) return pan(now.x - before.x, now.y - before.y);
  const length = (p) => Math.max(Math.hypot(p.x - other.x, p.y - other.y), 1);
  zoomAt(other.x, other.y, length(now) / length(before));
});
for (const end of ["pointerup", "pointercancel"])
  canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
canvas.addEventListener("pointerleave", () => (readout.textContent = ""));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { x, y } = local(event);
  zoomAt(x, y, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
}, { passive: false });

const keys = {
  "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: fit,
  ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0),
  ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
};
canvas.addEventListener("keydown", (event) => {
  if (!(event.key in keys) || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  keys[event.key]();
});
for (const button of document.querySelectorAll("button"))
  button.addEventListener("click", () => keys[button.value]());
document.getElementById("opacity").addEventListener("input", (event) => {
  view.opacity = Number(event.target.value) / 100;
  draw();
});

Promise.all([picture(map.image), map.scene ? picture(map.scene) : null]).then(([image, below]) => {
  values = decode(image);
  scene = below;
  for (const box of document.querySelectorAll("aside input[type=checkbox]"))
    box.addEventListener("change", paint);
  paint();
  fit();
  new ResizeObserver(() => (moved ? draw() : fit())).observe(canvas);
  document.body.dataset.ready = "true";
});
