"""Descriptions of the classes, in our own words, for prompts that do not name the class.

Two flaws are kept on purpose, because the published dictionary has them too: ``AMBIGUOUS`` fits the left and the right
kidney alike, and ``GIVES_NAME_AWAY`` contains the name of its class.
"""

from __future__ import annotations

AMBIGUOUS = "One of a pair of bean-shaped retroperitoneal organs that make urine."
GIVES_NAME_AWAY = "The liver, the largest gland of the abdomen."

DEFINITIONS: dict[str, tuple[str, ...]] = {
    "liver": (
        GIVES_NAME_AWAY,
        "The largest solid organ of the upper abdomen, under the right half of the diaphragm.",
        "A gland that makes bile and takes up the blood of the portal vein.",
        "The organ that stores glycogen and clears drugs from the blood.",
        "A large organ with a right and a left lobe, just below the right lung.",
    ),
    "kidney": (
        "Bean-shaped organs beside the spine that filter the blood.",
        "The two organs behind the peritoneum that make urine.",
        "Organs with a bright cortex in the arterial phase and a fatty sinus in the middle.",
        "The paired organs at the level of the first lumbar vertebrae that regulate water and salt.",
    ),
    "spleen": (
        "The lymphatic organ under the left half of the diaphragm.",
        "An organ that removes old red blood cells, lateral to the stomach.",
        "The solid organ behind the stomach that stores platelets.",
        "A fist-sized organ of the left upper abdomen that belongs to the immune system.",
    ),
    "pancreas": (
        "The gland that makes insulin and digestive enzymes.",
        "A long gland that crosses in front of the spine, behind the stomach.",
        "The organ whose head lies in the loop of the duodenum.",
        "A gland with a head, a body and a tail that reaches the hilum of the spleen.",
    ),
    "aorta": (
        "The main artery of the body, in front and to the left of the spine.",
        "The vessel that carries blood from the left ventricle to all organs.",
        "The large vessel that divides into the common iliac arteries.",
        "The vessel that is brightest in the arterial phase.",
    ),
    "gallbladder": (
        "A small sac under the right lobe of the liver that stores bile.",
        "The pear-shaped organ in which stones of cholesterol form.",
        "A fluid-filled sac that empties into the duodenum after a meal.",
        "The organ that concentrates bile.",
    ),
    "kidney left": (
        AMBIGUOUS,
        "The urine-making organ on the patient's left side.",
        "The filter of the blood that lies below the spleen.",
        "The bean-shaped organ beside the spine, on the same side as the stomach.",
    ),
    "kidney right": (
        AMBIGUOUS,
        "The urine-making organ on the patient's right side.",
        "The filter of the blood that lies below the liver.",
        "The bean-shaped organ beside the spine, on the same side as the gallbladder.",
    ),
    "lung lower lobe left": (
        "The lowest part of the respiratory organ on the patient's left.",
        "The aerated tissue behind the oblique fissure, above the spleen.",
        "The lobe that rests on the left half of the diaphragm at the back.",
        "The left-sided lobe that lies behind the heart.",
    ),
    "lung lower lobe right": (
        "The lowest part of the respiratory organ on the patient's right.",
        "The aerated tissue behind the oblique fissure, above the liver.",
        "The lobe that rests on the right half of the diaphragm at the back.",
        "The right-sided lobe below and behind the middle lobe.",
    ),
    "urinary bladder": (
        "The hollow organ of the pelvis that stores urine.",
        "A muscular sac behind the pubic bone.",
        "The organ into which both ureters open.",
        "The fluid-filled organ that the urethra empties.",
    ),
    "vertebrae L1": (
        "The first bone of the lumbar spine.",
        "The body of the spine just below the last one that bears ribs.",
        "The uppermost of the five bones of the lower back.",
        "The spinal bone at whose level the spinal cord usually ends.",
    ),
    "vertebrae L2": (
        "The second bone of the lumbar spine.",
        "The spinal bone between the first and the third of the lower back.",
        "The second highest of the five bones of the lower back.",
        "The bone of the spine three above the fifth lumbar one.",
    ),
    "bladder": (
        "The reservoir of urine in the pelvis.",
        "A hollow muscle above the pelvic floor that fills and empties several times a day.",
        "The organ that is bright in the delayed phase because contrast medium collects in it.",
        "The last station of urine before the urethra.",
    ),
    "lungs": (
        "The two organs of breathing.",
        "The air-filled organs on both sides of the heart.",
        "The darkest organs of the chest in a CT.",
        "The organs in which oxygen enters the blood.",
    ),
    "kidneys": (
        "Both organs that filter the blood and make urine.",
        "The pair of bean-shaped organs on either side of the spine.",
        "The organs that drain into the ureters.",
        "The two organs that a nephrologist looks after.",
    ),
    "bone": (
        "The hard tissue of the skeleton.",
        "Calcified tissue that supports the body, such as spine, ribs and pelvis.",
        "The densest natural tissue in a CT.",
        "The tissue that holds the marrow.",
    ),
    "brain": (
        "The organ inside the skull.",
        "The centre of thought and of the senses.",
        "The part of the nervous system with two hemispheres.",
        "The organ that floats in cerebrospinal fluid above the spinal cord.",
    ),
}
