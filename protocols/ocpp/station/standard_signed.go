package station

// signingVariables are those of a station with a meter that signs, as in standardVariables.
const signingVariables = `AlignedDataCtrlr|SignReadings|rw|boolean|false
OCPPCommCtrlr|PublicKeyWithSignedMeterValue|rw|OptionList|OncePerTransaction|{Never,OncePerTransaction,EveryMeterValue}
SampledDataCtrlr|SignReadings|rw|boolean|false
`
