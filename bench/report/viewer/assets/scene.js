// What is shown of a volume: voxels, masks, boxes, the cut, the window. Views draw it; it knows none of them.
"use strict";
(() => {
  const { get } = window.m3d;
  const CUBE = { grid: [32, 256, 256], sizes: [8, 1, 1], flips: [false, false, false], letters: false, spacing: null };

  // All slices of a document's montage as bytes (D, H, W), in the orientation of the picture.
  async function decode(told) {
    const image = new Image();
    image.src = told.png;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const [depth, height, width] = told.grid;
    const voxels = new Uint8Array(depth * height * width);
    for (let d = 0, to = 0; d < depth; d++) {
      const left = (d % told.columns) * (width + told.gap);
      const top = Math.floor(d / told.columns) * (height + told.gap);
      for (let h = 0; h < height; h++) {
        for (let w = 0, from = ((top + h) * canvas.width + left) * 4; w < width; w++, from += 4) voxels[to++] = pixels[from];
      }
    }
    return voxels;
  }

  // The slice along each axis that holds most of a mask.
  function fullest(voxels, grid) {
    const [depth, height, width] = grid;
    const areas = grid.map((length) => new Uint32Array(length));
    for (let d = 0, place = 0; d < depth; d++) for (let h = 0; h < height; h++) for (let w = 0; w < width; w++, place++) {
      if (voxels[place]) { areas[0][d]++; areas[1][h]++; areas[2][w]++; }
    }
    return areas.map((area) => area.indexOf(Math.max(...area)));
  }

  const flipped = (box, flips) => {
    const made = [...box];
    flips.forEach((flip, axis) => { if (flip) [made[axis], made[axis + 3]] = [1 - box[axis + 3], 1 - box[axis]]; });
    return made;
  };

  // boxes: who -> box; masks: [who]; both named reference, asked, 0 or 1. Problems are told, never thrown.
  async function load(task, position, sample) {
    const scene = { problems: [], voxels: null, masks: {}, boxes: {}, key: null, ...CUBE, windows: [], range: [0, 1] };
    const volume = sample.volume === null ? null : get("volume/" + sample.volume);
    const masks = sample.masks.map((who) => [who, get(task.place + "/mask/" + position + "/" + who)]);
    if (volume) {
      const told = await volume.catch((error) => ({ error: error.message }));
      if (told.error) scene.problems.push({ what: "volume", text: told.error, gone: told.gone });
      else {
        Object.assign(scene, told, { voxels: await decode(told), key: "volume/" + sample.volume });
      }
    }
    for (const [who, asked] of masks) {
      const told = await asked.catch((error) => ({ error: error.message }));
      if (told.error) { scene.problems.push({ what: who, text: told.error }); continue; }
      const { grid, sizes, spacing, flips, letters } = told;
      if (!scene.voxels && !Object.keys(scene.masks).length) Object.assign(scene, { grid, sizes, spacing, flips, letters });
      if (told.png && grid.every((length, axis) => length === scene.grid[axis])) {
        scene.masks[who] = { voxels: await decode(told), count: told.voxels, ml: told.ml };
      } else if (told.png) scene.problems.push({ what: who, text: "the mask has another grid than the volume" });
      else scene.masks[who] = { voxels: null, count: 0, ml: told.ml };
    }
    const boxes = { reference: sample.reference.box, asked: sample.request.box };
    sample.runs.forEach((run, index) => { boxes[index] = run && run.box; });
    for (const [who, box] of Object.entries(boxes)) if (box) scene.boxes[who] = flipped(box, scene.flips);
    scene.cut = centre(scene);
    return scene;
  }

  function centre(scene) {
    for (const who of ["reference", "0", "1"]) {
      if (scene.masks[who] && scene.masks[who].voxels) return fullest(scene.masks[who].voxels, scene.grid);
    }
    const box = scene.boxes.asked || scene.boxes.reference || scene.boxes[0] || scene.boxes[1];
    const middle = (axis) => (box ? (box[axis] + box[axis + 3]) / 2 : 0.5);
    return scene.grid.map((length, axis) => Math.max(0, Math.min(length - 1, Math.floor(middle(axis) * length))));
  }

  // Something to draw on: a volume, a mask with voxels, or a box.
  const visible = (scene) => Boolean(scene.voxels) || Object.values(scene.masks).some((mask) => mask.voxels)
    || Object.keys(scene.boxes).length > 0;

  window.m3d.scene = { load, visible };
})();
