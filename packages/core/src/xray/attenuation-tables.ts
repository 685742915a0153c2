/**
 * Mass attenuation coefficients μ/ρ, cm²/g, and densities, g/cm³.
 *
 * Source: J. H. Hubbell and S. M. Seltzer, "Tables of X-Ray Mass Attenuation Coefficients and Mass Energy-Absorption
 * Coefficients 1 keV to 20 MeV for Elements Z = 1 to 92 and 48 Additional Substances of Dosimetric Interest", NISTIR 5632
 * (1995), NIST Standard Reference Database 126, tables 3 and 4: the published values at the published energies, absorption
 * edges given twice (below and above). Tissues are those of ICRU Report 44.
 */
export interface AttenuationTable {
  /** g/cm³ */
  readonly density: number
  /** keV, rising; an edge stands there twice. */
  readonly energies: readonly number[]
  /** cm²/g */
  readonly coefficients: readonly number[]
}

const ENERGIES = [10, 15, 20, 30, 40, 50, 60, 80, 100, 150]

const smooth = (density: number, coefficients: readonly number[]): AttenuationTable => ({
  density,
  energies: ENERGIES,
  coefficients
})

export const ATTENUATION = {
  water: smooth(1, [5.329, 1.673, 0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505]),
  air: smooth(0.001205, [5.12, 1.614, 0.7779, 0.3538, 0.2485, 0.208, 0.1875, 0.1662, 0.1541, 0.1356]),
  adipose: smooth(0.95, [3.268, 1.083, 0.5677, 0.3063, 0.2396, 0.2123, 0.1974, 0.18, 0.1688, 0.15]),
  softTissue: smooth(1.06, [5.379, 1.699, 0.823, 0.379, 0.2688, 0.2264, 0.2048, 0.1823, 0.1693, 0.1492]),
  /** Cortical. */
  bone: smooth(1.92, [28.51, 9.032, 4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.148]),
  aluminium: smooth(2.699, [26.23, 7.955, 3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704, 0.1378]),
  titanium: smooth(4.54, [110.7, 35.87, 15.85, 4.972, 2.214, 1.213, 0.7661, 0.4052, 0.2721, 0.1649]),
  iron: smooth(7.874, [170.6, 57.08, 25.68, 8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717, 0.1964]),
  copper: smooth(8.96, [215.9, 74.05, 33.79, 10.92, 4.862, 2.613, 1.593, 0.763, 0.4584, 0.2217]),
  cesiumIodide: {
    density: 4.51,
    energies: [10, 15, 20, 30, 33.1694, 33.1694, 35.9846, 35.9846, 40, 50, 60, 80, 100, 150],
    coefficients: [
      171.1, 58.15, 26.86, 9.045, 6.923, 21.22, 17.19, 30.27, 22.97, 12.87, 7.921, 3.677, 2.035, 0.729
    ]
  },
  /** From above the L edges, the lowest energy that is asked for. */
  tungsten: {
    density: 19.3,
    energies: [12.0998, 15, 20, 30, 40, 50, 60, 69.525, 69.525, 80, 100, 150],
    coefficients: [238.2, 138.9, 65.73, 22.73, 10.67, 5.949, 3.713, 2.552, 11.23, 7.81, 4.438, 1.581]
  }
} as const satisfies Record<string, AttenuationTable>

export type MaterialName = keyof typeof ATTENUATION
