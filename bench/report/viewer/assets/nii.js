"use strict";
window.m3d.nii = { create: () => Promise.reject(new Error("not yet")) };
